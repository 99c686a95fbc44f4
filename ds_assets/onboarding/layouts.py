"""Where the log files of a day are, guessed from names of files."""

import datetime as dt
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

_YEAR = r"(?P<Y>(?:19|20)\d\d)"
_MONTH = r"(?P<m>0[1-9]|1[0-2])"
_DAY = r"(?P<d>0[1-9]|[12]\d|3[01])"
_ONE_OR_TWO = r"(?P<{}>\d{{1,2}})"
_WRITINGS: Mapping[str, re.Pattern[str]] = {
    "padded": re.compile(
        rf"(?<!\d){_YEAR}(?P<a>[-_.]?){_MONTH}(?P=a){_DAY}(?=(?:\d\d){{0,3}}(?!\d))"
    ),
    "folders": re.compile(
        rf"(?:(?<=^)|(?<=/))(?P<x>[^/\d]*){_YEAR}/(?P<y>[^/\d]*){_ONE_OR_TWO.format('m')}"
        rf"/(?P<z>[^/\d]*){_ONE_OR_TWO.format('d')}(?!\d)"
    ),
    "short": re.compile(
        rf"(?<!\d){_YEAR}(?P<a>[-_.]){_ONE_OR_TWO.format('m')}(?P=a){_ONE_OR_TWO.format('d')}(?!\d)"
    ),
    "month_first": re.compile(
        rf"(?<!\d){_ONE_OR_TWO.format('m')}(?P<a>[-_.]){_ONE_OR_TWO.format('d')}(?P=a){_YEAR}(?!\d)"
    ),
    "day_first": re.compile(
        rf"(?<!\d){_ONE_OR_TWO.format('d')}(?P<a>[-_.]){_ONE_OR_TWO.format('m')}(?P=a){_YEAR}(?!\d)"
    ),
    "epoch": re.compile(r"(?<!\d)(?P<s>1\d{9})(?:\d{3})?(?!\d)"),
}
"""How days are written in paths; of those that fit equally well, the first counts."""
_PLACES = (0, -1)
"""Of several days in a path the first counts, unless it is the same in all paths, as of a copy."""
_VARYING = re.compile(r"[0-9a-f]{8}[0-9a-f-]*|\d+")
"""What differs between the names of files of one kind: digits, and ids in hexadecimal."""


@dataclass(frozen=True)
class Layout:
    """Where the files of days are.

    Attributes:
        path: The pattern, as `logs.path`.
        days: The days in the names of files and folders, ascending.
        day_of: The day of each file, and of each folder of a day.
    """

    path: str
    days: tuple[dt.date, ...]
    day_of: Mapping[str, dt.date]


@dataclass(frozen=True)
class _Dated:
    """A path with a day in it: what is before, beside and in place of the day."""

    folders: tuple[str, ...]
    before: str
    day: str
    after: str
    date: dt.date
    is_short: tuple[bool, ...]


_Read = Callable[[str], _Dated | None]


def guess_layout(files: Collection[str], folders: Collection[str] = ()) -> Layout | None:
    """Guess where the files of days are; None if most files have no day in their path.

    Args:
        files: Paths of log files relative to the source.
        folders: Paths of folders, some of which may be those of days without files among these.
    """
    read, dated = max(
        (_find_writing(files, place) for place in _PLACES),
        key=lambda it: (len(it[1]), len({day.date for day in it[1].values()}) > 1),
    )
    if 2 * len(dated) <= len(files):
        return None
    depth, _ = Counter(len(it.folders) for it in dated.values()).most_common(1)[0]
    alike = {path: it for path, it in dated.items() if len(it.folders) == depth}
    others = {path: it for path, it in _read_all(folders, read).items() if len(it.folders) == depth}
    day_of = {path: it.date for path, it in (others | alike).items()}
    return Layout(_pattern([*alike.values()]), tuple(sorted(set(day_of.values()))), day_of)


def _find_writing(files: Collection[str], place: int) -> tuple[_Read, dict[str, _Dated]]:
    """Find the writing that fits most paths, of several the one whose days are nearest.

    Args:
        files: Paths.
        place: Whether the first day in a path counts (0), or the last one (-1).
    """

    def rank(read: _Read) -> tuple[int, dt.timedelta]:
        days = [it.date for it in _read_all(files, read).values()]
        return len(days), -(max(days) - min(days)) if days else dt.timedelta()

    best = max((_read_as(writing, place) for writing in _WRITINGS), key=rank)
    return best, _read_all(files, best)


def _read_all(paths: Iterable[str], read: _Read) -> dict[str, _Dated]:
    return {path: dated for path in paths if (dated := read(path))}


def _read_as(writing: str, place: int) -> _Read:
    pattern = _WRITINGS[writing]

    def read(path: str) -> _Dated | None:
        matches = [(it, date) for it in pattern.finditer(path) if (date := _date(it.groupdict()))]
        return _split(path, *matches[place], writing) if matches else None

    return read


def _date(parts: Mapping[str, str]) -> dt.date | None:
    if "s" in parts:
        return dt.datetime.fromtimestamp(int(parts["s"]), dt.UTC).date()
    try:
        return dt.date(int(parts["Y"]), int(parts["m"]), int(parts["d"]))
    except ValueError:
        return None


def _split(path: str, match: re.Match[str], date: dt.date, writing: str) -> _Dated:
    *folders, before = path[: match.start()].split("/")
    parts = match.groupdict()
    short = () if writing == "epoch" else tuple(len(parts[it]) == 1 for it in "md")
    return _Dated(
        folders=tuple(folders),
        before=before,
        day=_directives(parts, writing),
        after=path[match.end() :].partition("/")[0],
        date=date,
        is_short=short,
    )


def _directives(parts: Mapping[str, str], writing: str) -> str:
    separator = parts.get("a", "")
    match writing:
        case "epoch":
            return "%s"
        case "folders":
            x, y, z = (_escaped(parts[it]) for it in "xyz")
            return f"{x}%Y/{y}%m/{z}%d"
        case "month_first":
            return separator.join(("%m", "%d", "%Y"))
        case "day_first":
            return separator.join(("%d", "%m", "%Y"))
        case _:
            return separator.join(("%Y", "%m", "%d"))


def _pattern(dated: Sequence[_Dated]) -> str:
    folders = _general([it.folders for it in dated])
    day, _ = Counter(it.day for it in dated).most_common(1)[0]
    for place, directive in enumerate(("m", "d")):
        if any(it.is_short[place : place + 1] == (True,) for it in dated):
            day = day.replace(f"%{directive}", f"%-{directive}")
    before = _common([it.before for it in dated], keep_constant=True)
    after = _common([it.after for it in dated], keep_constant=False)
    return _with_single_stars("/".join([*folders, f"{before}{day}{after}"]))


def _general(folders: Sequence[tuple[str, ...]]) -> list[str]:
    """The folders above the day: a name if it is always the same."""
    return [
        _escaped(names[0]) if len(set(names)) == 1 else "*" for names in zip(*folders, strict=True)
    ]


def _common(texts: Sequence[str], *, keep_constant: bool) -> str:
    """A pattern of texts: what they begin and end with, and `*` for the rest and for digits."""
    distinct = sorted(set(texts))
    start = _begin(distinct)
    if len(distinct) == 1:
        return _escaped(start) if keep_constant else _without_varying(start)
    end = _begin([it[len(start) :][::-1] for it in distinct])[::-1]
    return f"{_without_varying(start)}*{_without_varying(end)}"


def _begin(texts: Sequence[str]) -> str:
    """What all texts begin with, character by character."""
    return os.path.commonprefix(texts)  # noqa: RUF071  (on purpose)


def _without_varying(text: str) -> str:
    return "*".join(map(_escaped, _VARYING.split(text)))


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _with_single_stars(pattern: str) -> str:
    return re.sub(r"\*+", "*", pattern)


def common_name(names: Iterable[str]) -> str:
    """A pattern of the names of files: what they begin and end with, and `*` for the rest."""
    return _with_single_stars(_common([*names], keep_constant=False))


def group_by_kind(paths: Iterable[str]) -> dict[str, list[str]]:
    """Group paths by what is not digits or an id in them, so that each group is of one kind."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        kinds[_VARYING.sub("#", path)].append(path)
    return dict(kinds)
