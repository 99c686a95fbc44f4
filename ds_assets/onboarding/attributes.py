"""Attributes of users and numbers of events that are worth a feature."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ds_assets.game_parts import IDENTIFIER
from ds_assets.onboarding.fields import Lines, last_name
from ds_assets.onboarding.guess import Guess, is_abbreviation, show_values

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "country": (
        "country",
        "countrycode",
        "geocountry",
        "usercountry",
        "pays",
        "pais",
        "paese",
        "region",
    ),
    "platform": ("platform", "plataforma", "plateforme", "devicetype", "ostype"),
    "os": ("os", "osname", "operatingsystem", "osfamily"),
    "language": ("language", "lang", "locale", "brlang", "idioma", "sprache", "langue"),
    "channel": (
        *("channel", "source", "mediasource", "utmsource", "network", "networkname", "trackername"),
        *("acquisition", "acquisitionchannel", "campaignsource", "mktsource", "canal", "kanal"),
    ),
    "device": ("device", "devicemodel", "model", "mobilemodelname", "devicename", "devicefamily"),
    "app_version": ("appversion", "gameversion", "build", "buildversion", "clientversion"),
}
"""Names of fields of text attributes, the best one first."""
_LEVEL = (
    *("level", "userlevel", "playerlevel", "charlevel", "accountlevel", "ranklevel"),
    *("levelreached", "lvl", "charlv", "lv", "niveau", "nivel"),
)
_SUMMED = re.compile(
    r"duration|seconds|minutes|playtime|timeplayed|lengthsec|score|earned|distance|kills|sessionlen"
)
_MAX_TEXTS = 1_000
"""Different values of a text attribute in a sample; with more it is an id."""
_MAX_SUMMED = 4


def guess_attributes(lines: Lines, taken: Iterable[str]) -> list[Guess]:
    """Guess `attributes` and `properties`.

    Args:
        lines: The sample.
        taken: Columns that have another meaning.
    """
    free = [path for path in lines.table.columns if path not in set(taken)]
    return [*_find_texts(lines, free), *_find_level(lines, free), *_find_summed(lines, free)]


def _find_texts(lines: Lines, free: list[str]) -> Iterator[Guess]:
    for attribute, names in _TEXTS.items():
        texts = (it for it in free if not _is_number(it, lines))
        short = (it for it in texts if is_abbreviation(last_name(it), names[0]))
        fitting = [it for it in (*_named(names, free), *short) if _is_text(it, lines)]
        if fitting:
            paths = _of_each_kind(fitting, lines)
            yield _guess(f"attributes.{attribute}", {"field": _one_or_all(paths)}, paths, lines)


def _named(names: Iterable[str], paths: list[str]) -> Iterator[str]:
    """Yield the paths with one of some names, and then those that end in one."""
    for name in names:
        yield from (path for path in paths if last_name(path) == name)
    for name in names:
        yield from (path for path in paths if re.fullmatch(f".+{name}", last_name(path)))


def _is_text(path: str, lines: Lines) -> bool:
    values = lines.table[path].dropna()
    texts = all(isinstance(it, str) for it in values.head(100))
    different = values.astype(str).nunique()
    return texts and 1 < different <= min(_MAX_TEXTS, max(2, len(values) // 3))


def _find_level(lines: Lines, free: list[str]) -> Iterator[Guess]:
    fitting = [path for path in _named(_LEVEL, free) if _is_number(path, lines)]
    if fitting:
        paths = _of_each_kind(fitting, lines)
        value = {"field": _one_or_all(paths), "type": "number"}
        yield _guess("attributes.level", value, paths, lines)


def _find_summed(lines: Lines, free: list[str]) -> Iterator[Guess]:
    summed = [it for it in free if _is_summed(last_name(it)) and _is_number(it, lines)]
    names: set[str] = set()
    for path in summed[:_MAX_SUMMED]:
        name = re.sub("[^a-z0-9]+", "_", re.split(r"[.\[]", path)[-1].lower()).strip("_")
        if IDENTIFIER.fullmatch(name) and name not in names:
            names.add(name)
            yield _guess(f"properties.{name}", path, [path], lines)


def _is_summed(name: str) -> bool:
    return bool(_SUMMED.search(name)) and "total" not in name  # a sum of the user's whole past


def _is_number(path: str, lines: Lines) -> bool:
    values = lines.table[path].dropna()
    numbers = lines.numbers(path).dropna()
    is_bool = any(isinstance(it, bool) for it in values.head(100))
    return not is_bool and len(values) > 0 and len(numbers) == len(values)


def _of_each_kind(fitting: list[str], lines: Lines) -> list[str]:
    """The first of some paths, and others in files of kinds that have none of those before."""
    chosen = fitting[:1]
    for table in lines.tables():
        if not any(path in table for path in chosen):
            chosen += [path for path in fitting if path in table][:1]
    return chosen


def _one_or_all(paths: list[str]) -> str | list[str]:
    return paths[0] if len(paths) == 1 else paths


def _guess(key: str, value: Any, paths: list[str], lines: Lines) -> Guess:
    shown = (
        f"in {lines.coverage(path):.1%} of lines: "
        f"{show_values(lines.table[path].dropna().drop_duplicates().head(3))}"
        for path in paths
    )
    return Guess(key, value, "; ".join(shown))
