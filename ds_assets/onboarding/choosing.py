"""Choosing the kinds of files that a game file can read together, and where their days are."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ds_assets.onboarding.fields import is_named_user
from ds_assets.onboarding.grouping import Log
from ds_assets.onboarding.guess import show_value
from ds_assets.onboarding.kind_names import find_patterns, name_in_lake, name_kinds
from ds_assets.onboarding.kinds import Kind
from ds_assets.onboarding.layouts import Layout, common_name, guess_layout
from ds_assets.onboarding.sources import Listing
from ds_assets.path_patterns import PathPattern

_USUAL = 0.9
"""Share of lines that have a user."""
_SAME_USERS = 0.2
"""Share of the values of a field that are ids of users of other files."""
_LATE = 7
"""Days after which files are missing, and not only late."""


@dataclass
class Choice:
    """Kinds of files that are read together.

    Attributes:
        listing: The source.
        logs: The files, the most important ones first.
        layout: Where the files of days are; None if files are not split by day.
        left: Other files, with the reason in words.
    """

    listing: Listing
    logs: list[Log]
    layout: Layout | None
    left: list[tuple[Log, str]] = field(default_factory=list)

    def describe(self) -> tuple[Kind, ...]:
        """The kinds of files, with their names if there are several."""
        kinds = [log.describe(self.layout) for log in self.logs]
        if len(kinds) == 1:
            return tuple(kinds)
        patterns = self.patterns() or []
        gaps = _find_gaps(self, patterns)
        return tuple(
            replace(kind, name=name, files=pattern, example=_show_files(log), gaps=gap)
            for kind, log, name, pattern, gap in zip(
                kinds, self.logs, name_kinds(patterns), patterns, gaps, strict=True
            )
        )

    def patterns(self) -> list[str] | None:
        """The pattern of the names of each kind's files; None if names do not tell them apart."""
        return find_patterns(
            [
                [name_in_lake(path, self.layout, log.file_format.name) for path in log.files]
                for log in self.logs
            ]
        )


def choose_kinds(logs: Sequence[Log], listing: Listing) -> Choice:
    """Choose the files that are read together: the largest with users, and all that fit to them.

    Args:
        logs: Files by what they hold, the largest first.
        listing: The source.
    """
    usable = [log for log in logs if log.compared.is_usable] or logs
    main = next((log for log in usable if _names_user(log)), usable[0])
    alone = Choice(listing, [main], guess_layout(main.files, listing.folders))
    choice = alone
    for log in logs:
        if log is not main:
            choice = _add(_with_user(log, choice), choice)
    narrowed = _narrow(choice)
    if len(narrowed.logs) == 1:
        return _with_strangers(narrowed)
    if not _find_strangers(narrowed) and narrowed.patterns():
        return narrowed
    left = [(log, "not read, as no path leads to them alone") for log in logs if log is not main]
    return _with_strangers(_narrow(replace(alone, left=left)))


def _with_strangers(choice: Choice) -> Choice:
    """Say of files of other kinds that they are read, too, where the path leads to them."""
    strangers = {*_find_strangers(choice)}
    left = [
        (log, "read, too" if strangers.intersection(log.files) else why) for log, why in choice.left
    ]
    return replace(choice, left=left)


def _names_user(log: Log) -> bool:
    return is_named_user(log.compared.value("user_id"))


def _with_user(log: Log, choice: Choice) -> Log:
    """Find the user in files where no name shows it, by the ids that other files have."""
    lines = log.compared.lines
    if _names_user(log):
        return log
    users = frozenset[str]().union(*(it.compared.users for it in choice.logs))
    shares = {
        path: float(lines.table[path].dropna().astype(str).isin(users).mean())
        for path in lines.table.columns
        if lines.coverage(path) >= _USUAL
    }
    best = max(shares, key=lambda path: shares[path], default="")
    return replace(log, user_path=best if best and shares[best] >= _SAME_USERS else "")


def _add(log: Log, choice: Choice) -> Choice:
    """Add files to those that are read, or to the others with the reason."""
    files = [path for it in (*choice.logs, log) for path in it.files]
    layout = guess_layout(files, choice.listing.folders)
    wider = replace(choice, logs=[*choice.logs, log], layout=layout)
    why = _find_obstacle(log, choice, wider)
    return replace(choice, left=[*choice.left, (log, f"not read, as {why}")]) if why else wider


def _find_obstacle(log: Log, choice: Choice, wider: Choice) -> str:
    """Why files cannot be read together with others, in words; empty if they can."""
    guessed = log.compared
    if not (log.user_path or _names_user(log)) or not guessed.is_usable:
        return "their lines have no user and time"
    if any(guessed.is_copy_of(it.compared) for it in choice.logs):
        return "they hold the same lines as others"
    if not all(_fits(path, wider.layout) for it in wider.logs for path in it.files):
        return "no path leads to them and to the others"
    return "" if wider.patterns() else "their names do not tell them from others"


def _fits(path: str, layout: Layout | None) -> bool:
    """Whether a file is one of those at the path of a layout, or below one."""
    if layout is None:
        return True
    parts, names = PathPattern(layout.path).parts, path.split("/")
    return len(names) >= len(parts) and all(
        part.read(name) is not None for part, name in zip(parts, names, strict=False)
    )


def _find_strangers(choice: Choice) -> list[str]:
    """Find files at the path of what is read that are not."""
    return [path for log, _ in choice.left for path in log.files if _fits(path, choice.layout)]


def _narrow(choice: Choice) -> Choice:
    """Add names of folders and files to the path until it fits no files that are not read."""
    names = [path.split("/") for log in choice.logs for path in log.files]
    while choice.layout and _find_strangers(choice):
        depth = choice.layout.path.count("/") + 1
        if depth >= min(map(len, names)):
            break
        name = common_name(it[depth] for it in names)
        layout = replace(choice.layout, path=f"{choice.layout.path}/{name}")
        choice = replace(choice, layout=layout)
    return choice


def _find_gaps(choice: Choice, patterns: Sequence[str]) -> Iterator[str]:
    """Yield for each kind why a day may have no file of it, in words; empty if each has one."""
    if choice.layout is None:
        yield from ["days that have no such line get no file by ds-assets import-logs"] * len(
            patterns
        )
        return
    days = [
        _find_days(log, it, choice.layout) for log, it in zip(choice.logs, patterns, strict=True)
    ]
    every = sorted(set().union(*days))
    for own in days:
        newest = max(own)
        is_late = (every[-1] - newest).days <= _LATE
        missing = [it for it in every if it not in own and (it < newest or not is_late)]
        yield f"{len(missing):,} of {len(every):,} days have none" if missing else ""


def _find_days(log: Log, pattern: str, layout: Layout) -> set[dt.date]:
    """Find the days that have files of a kind, or a folder of it that was not looked into."""
    files = {*log.files}
    return {
        day
        for path, day in layout.day_of.items()
        if path in files or fnmatchcase(name_in_lake(path, layout, ""), pattern)
    }


def _show_files(log: Log) -> str:
    return f"{len(log.files):,} files, such as {show_value(log.files[0])}"
