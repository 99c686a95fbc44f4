"""Patterns of paths: where the log files of a day are in the log source.

Scope: the rules of `logs.path`, and which names belong to a day. Listing a source by a pattern is
in `infra.log_source.day_folders`.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo

_ANY = "[^/]*?"
_DAYS: Mapping[str, tuple[str, Callable[[dt.date], str]]] = {
    "%Y": (r"(?:19|20)\d\d", lambda day: f"{day.year:04}"),
    "%m": (r"(?:0[1-9]|1[0-2])", lambda day: f"{day.month:02}"),
    "%-m": (r"(?<!\d)(?:1[0-2]|[1-9])(?!\d)", lambda day: f"{day.month}"),
    "%d": (r"(?:0[1-9]|[12]\d|3[01])", lambda day: f"{day.day:02}"),
    "%-d": (r"(?<!\d)(?:[12]\d|3[01]|[1-9])(?!\d)", lambda day: f"{day.day}"),
}
"""Directives of a day: what they match, and their text for a day."""
_TIMES = {
    "%H": r"(?:[01]\d|2[0-3])",
    "%-H": r"(?<!\d)(?:1\d|2[0-3]|\d)(?!\d)",
    "%M": r"[0-5]\d",
    "%S": r"[0-5]\d",
}
"""Directives of a time of the day, all of which belong to it."""
_SECONDS = "%s"
_NOON = {"%H": "12", "%-H": "12", "%M": "00", "%S": "00"}
"""Directives of a time, as they are written for noon."""
_FILLING = "import"
"""What stands for `*` in a path that is written."""
_EPOCH = r"(?<!\d)\d{10}(?:\d{3})?(?!\d)"
"""Seconds since 1970, or milliseconds."""
_PIECE = re.compile(r"%-?.?|\*|[^%*]+", re.DOTALL)
_APART = ("%-m", "%-d", "%-H", _SECONDS)
"""Directives of no fixed width, which only what is not a digit can end."""
_DATES = (("%Y",), ("%m", "%-m"), ("%d", "%-d"))


@dataclass(frozen=True)
class PathPart:
    """The pattern of one name in a path.

    Attributes:
        text: The pattern.
        zone: Time zone of the day of an instant.
    """

    text: str
    zone: str

    @cached_property
    def is_literal(self) -> bool:
        """Whether it is the same name for all days."""
        return all(_is_text(piece) for piece in self._pieces)

    @cached_property
    def is_fixed(self) -> bool:
        """Whether it is one name for each day."""
        return all(_is_text(piece) or piece in _DAYS for piece in self._pieces)

    @cached_property
    def has_day(self) -> bool:
        """Whether a name says something of its day."""
        return bool(self._captured)

    def show(self, day: dt.date) -> str:
        """Return the name for a day, with `*` for what may be anything."""
        return "".join(_show(piece, day) for piece in self._pieces)

    def fill(self, day: dt.date) -> str:
        """Return a name of a day: that of its noon, with `import` for what may be anything."""
        return "".join(_NOON.get(piece) or self._fill(piece, day) for piece in self._pieces)

    def key(self, day: dt.date) -> tuple[str, ...]:
        """Return what each name of a day says of it; see `read`."""
        return tuple(f"{day}" if it == _SECONDS else _DAYS[it][1](day) for it in self._captured)

    def read(self, name: str) -> tuple[str, ...] | None:
        """Return what a name says of its day, as `key` does; None if it does not fit the pattern.

        Of several ways to read a name, that with the first date in it counts.
        """
        if not (match := self._regex.fullmatch(name)):
            return None
        return tuple(
            self._date(text) if kind == _SECONDS else text
            for kind, text in zip(self._captured, match.groups(), strict=True)
        )

    def resembles(self, name: str) -> bool:
        """Whether a name begins and ends like those of the pattern."""
        texts = [_literal(piece) if _is_text(piece) else "" for piece in self._pieces]
        return name.startswith(texts[0]) and name.endswith(texts[-1])

    @cached_property
    def _pieces(self) -> tuple[str, ...]:
        return tuple(_PIECE.findall(self.text))

    @cached_property
    def _captured(self) -> tuple[str, ...]:
        return tuple(piece for piece in self._pieces if piece in _DAYS or piece == _SECONDS)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile("".join(map(_match, self._pieces)))

    def _fill(self, piece: str, day: dt.date) -> str:
        if piece != _SECONDS:
            return _FILLING if piece == "*" else _show(piece, day)
        noon = dt.datetime.combine(day, dt.time(12), ZoneInfo(self.zone))
        return f"{noon.timestamp():.0f}"

    def _date(self, instant: str) -> str:
        return f"{dt.datetime.fromtimestamp(int(instant[:10]), ZoneInfo(self.zone)).date()}"


@dataclass(frozen=True)
class PathPattern:
    """Where the files of a day are: names that are the pattern's, and all that is below them.

    Attributes:
        text: `strftime` pattern, in which `*` stands for any characters within a name.
        zone: Time zone of the day of an instant.
    """

    text: str
    zone: str = "UTC"

    @cached_property
    def parts(self) -> tuple[PathPart, ...]:
        """The pattern of each name."""
        return tuple(PathPart(text, self.zone) for text in self.text.split("/"))

    @cached_property
    def is_fixed(self) -> bool:
        """Whether there is one path for each day."""
        return all(part.is_fixed for part in self.parts)

    @cached_property
    def top(self) -> str:
        """The folder that has the files of all days: the names before the first that varies."""
        texts = [part.show(dt.date.min) if part.is_literal else "" for part in self.parts]
        return "/".join(texts[: texts.index("")] if "" in texts else texts)

    def show(self, day: dt.date) -> str:
        """Return the path for a day, with `*` for what may be anything."""
        return "/".join(part.show(day) for part in self.parts)

    def fill(self, day: dt.date) -> str:
        """Return a path of a day; see `PathPart.fill`."""
        return "/".join(part.fill(day) for part in self.parts)


def read_path_pattern(text: str) -> str:
    """Validate a pattern.

    Returns:
        The pattern without a slash at its end.

    Raises:
        ValueError: with a message for the author of the game file.
    """
    if text.startswith("/") or "://" in text:
        raise ValueError("is relative to the log source; begin with the name of a folder or a file")
    path = text.rstrip("/")
    for name in path.split("/"):
        if name in {"", ".", ".."}:
            raise ValueError(f"{name!r} is not a name; write names with one / between them")
        _refuse_wrong_pieces(_PIECE.findall(name))
    _refuse_without_day(_PIECE.findall(path))
    return path


def _refuse_wrong_pieces(pieces: list[str]) -> None:
    supported = (*_DAYS, *_TIMES, _SECONDS)
    for piece in pieces:
        if piece.startswith("%") and piece not in {*supported, "%%"}:
            raise ValueError(f"{piece} is not supported; use {' '.join(supported)} or %%")
    for first, second in pairwise(pieces):
        if first == second == "*":
            raise ValueError("** is not supported; write * once, and */ for each folder")
        for piece, beside, edge in ((first, second, 0), (second, first, -1)):
            if piece in _APART and _has_digit(beside, edge):
                raise ValueError(f"{piece} needs a character beside it that is not a digit")


def _refuse_without_day(pieces: list[str]) -> None:
    has_date = [any(directive in pieces for directive in choice) for choice in _DATES]
    if _SECONDS in pieces:
        if any(has_date):
            raise ValueError("%s is the time with its date; use * in place of the other directives")
    elif not all(has_date):
        raise ValueError(
            "must hold %Y, %m and %d, for example 'dt=%Y-%m-%d', or seconds since 1970, %s"
        )


def _has_digit(piece: str, place: int) -> bool:
    """Whether a piece has a digit at its beginning (0) or end (-1)."""
    return piece[place].isdecimal() if _is_text(piece) else piece != "*"


def _is_text(piece: str) -> bool:
    return piece == "%%" or piece[0] not in "%*"


def _literal(piece: str) -> str:
    return "%" if piece == "%%" else piece


def _show(piece: str, day: dt.date) -> str:
    if _is_text(piece):
        return _literal(piece)
    return _DAYS[piece][1](day) if piece in _DAYS else "*"


def _match(piece: str) -> str:
    if _is_text(piece):
        return re.escape(_literal(piece))
    if piece in _TIMES or piece == "*":
        return _TIMES.get(piece, _ANY)
    return f"({_EPOCH if piece == _SECONDS else _DAYS[piece][0]})"
