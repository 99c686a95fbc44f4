"""Telling kinds of files apart by their names in the lake, as `logs.kinds` does."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from ds_assets.game_parts import IDENTIFIER
from ds_assets.infra.log_import import day_file_name
from ds_assets.onboarding.guess import plain_name
from ds_assets.onboarding.layouts import Layout, common_name
from ds_assets.path_patterns import PathPattern


def name_in_lake(path: str, layout: Layout | None, file_format: str) -> str:
    """Return the name that a file of the source gets in the lake.

    Args:
        path: Path of the file in the source.
        layout: Where the files of days are; without it they are imported.
        file_format: Format of the file.
    """
    if layout is None:
        return day_file_name(path, file_format)
    pattern = PathPattern(layout.path)
    if not pattern.is_fixed:
        return path.removeprefix(f"{pattern.top}/")
    names = path.split("/")
    return "/".join(names[len(pattern.parts) :]) or names[-1]


def find_patterns(groups: Sequence[Sequence[str]]) -> list[str] | None:
    """Find a pattern for each group of names that fits these alone; None if there is none.

    Args:
        groups: Names of files in the lake, by kind.
    """
    patterns = []
    for group in groups:
        others = [name for other in groups if other is not group for name in other]
        fitting = (it for it in _patterns(group) if _separates(it, group, others))
        patterns.append(next(fitting, ""))
    return patterns if all(patterns) else None


def _separates(pattern: str, names: Sequence[str], others: Sequence[str]) -> bool:
    return all(fnmatchcase(it, pattern) for it in names) and not any(
        fnmatchcase(it, pattern) for it in others
    )


def _patterns(names: Sequence[str]) -> Iterator[str]:
    """Yield patterns by what the outermost folders have in common, and then the files."""
    parts = [name.split("/") for name in names]
    shortest = min(map(len, parts))
    for depth in range(shortest):
        common = common_name(it[depth] for it in parts).replace("%%", "%")
        above = "*/" if depth else ""
        if any(len(it) > depth + 1 for it in parts):
            yield f"{above}{_literal(common)}/*"
        else:
            yield from (f"{above}{_literal(it)}" for it in _of_files(common))


def _of_files(common: str) -> Iterator[str]:
    """Yield patterns of files: by their beginning, their end, or all that is common."""
    start, end = re.split(r"[*.]", common)[0], re.split(r"\*|(?=\.)", common, maxsplit=1)[-1]
    if start:
        yield f"{start}*"
    yield f"*{end.rpartition('*')[2]}"
    yield common


def _literal(pattern: str) -> str:
    return re.sub(r"[\[?]", r"[\g<0>]", pattern)


def name_kinds(patterns: Sequence[str]) -> list[str]:
    """Name kinds by the text in their patterns."""
    plain = [plain_name(pattern).strip("_")[:48].rstrip("_") for pattern in patterns]
    return [
        name if IDENTIFIER.fullmatch(name) and plain.count(name) == 1 else f"kind_{number}"
        for number, name in enumerate(plain, start=1)
    ]
