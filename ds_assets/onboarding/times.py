"""How times are written, and at which clock, guessed from values and the days of their files."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import pandas as pd

from ds_assets.time_formats import ISO, TICKS_PER_SECOND

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{1,2}:\d{2}.*)?")
_ZONE = re.compile(r".*:\d{2}(\.\d+)? ?(Z|[+-]\d{2}(:?\d{2})?|UTC)$")
_EPOCH = re.compile(r"\d{9,19}(\.\d*)?")
_FIRST, _LAST = dt.datetime(1995, 1, 1, tzinfo=dt.UTC), dt.datetime(2050, 1, 1, tzinfo=dt.UTC)
_DATES = (
    *("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%Y"),
    *("%m-%d-%Y", "%Y%m%d", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y", "%d/%b/%Y", "%B %d, %Y"),
    *("%Y.%m.%d", "%a %b %d %Y", "%a, %d %b %Y", "%Y-%m-%d"),
)
_CLOCKS = ("%H:%M:%S", "%H:%M:%S.%f", "%I:%M:%S %p", "%H:%M", "%I:%M %p", "%H%M%S", "%I:%M:%S%p")
_BETWEEN = (" ", "T", ":", ", ", "-")
_ZONES = {
    "": re.compile(r"[\dMm]$"),
    " %z": re.compile(r" [+-]\d{2}:?\d{2}$"),
    "%z": re.compile(r"[+-]\d{2}:?\d{2}$"),
    "Z": re.compile(r"\dZ$"),
    " UTC": re.compile(r" UTC$"),
    " %Z": re.compile(r" [A-Z]+$"),
}
"""Zones, with what ends in them."""
_MOST = 0.95
"""Share of values that must fit a format."""
_BEGINNINGS = 3
"""Values that formats are made for, as one value may be no time."""
_TRIED = 200
"""Different values of a column that a format is compared with."""
_HOURS = 24


@dataclass(frozen=True)
class TimeFormat:
    """How the times of a column are written.

    Attributes:
        name: As `logs.time_format`; other columns of times have that of this one.
        has_zone: Whether the times name their zone.
        instants: A time for each row, in UTC or without a zone; missing where there is none.
    """

    name: str
    has_zone: bool
    instants: "pd.Series[Any]"


def find_time_format(column: "pd.Series[Any]", days: "pd.Series[Any]") -> TimeFormat | None:
    """Find out how the values of a column are written as times; None if they are no times.

    Args:
        column: Values, with None where a line has none.
        days: The day of each line's file, or None.
    """
    values = column.dropna()
    tried = values.drop_duplicates().head(_TRIED)
    if tried.empty or any(isinstance(value, bool) for value in tried):
        return None
    if all(isinstance(value, dt.date) for value in tried):
        return _of_objects(column, values)
    texts = [_plain(value) for value in tried]
    for find in (_of_epoch, _of_iso, partial(_of_format, days=days)):
        if times := find(column, texts):
            return times
    return None


def _mostly(fitting: Collection[Any], texts: Sequence[str]) -> bool:
    """Whether nearly all texts fit: logs have some times that are zero or no times at all."""
    return len(fitting) >= _MOST * len(texts)


def _plausible(instants: "pd.Series[Any]") -> "pd.Series[Any]":
    return instants.where(instants.between(_FIRST, _LAST))


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _of_objects(column: "pd.Series[Any]", values: "pd.Series[Any]") -> TimeFormat | None:
    """Times of Parquet, which need no format."""
    has_zone = getattr(values.iloc[0], "tzinfo", None) is not None
    instants = _plausible(pd.to_datetime(column, errors="coerce", utc=True))
    return None if instants.isna().all() else TimeFormat(ISO, has_zone, instants)


def _of_epoch(column: "pd.Series[Any]", texts: Sequence[str]) -> TimeFormat | None:
    numbers = [float(text) for text in texts if _EPOCH.fullmatch(text)]
    first, last = _FIRST.timestamp(), _LAST.timestamp()
    for name, ticks in TICKS_PER_SECOND.items():
        if _mostly([it for it in numbers if first <= it / ticks <= last], texts):
            seconds = pd.to_numeric(column.astype("string"), errors="coerce").astype(float) / ticks
            seconds = seconds.where(seconds.between(first, last))
            return TimeFormat(name, True, pd.to_datetime(seconds, unit="s", utc=True))
    return None


def _of_iso(column: "pd.Series[Any]", texts: Sequence[str]) -> TimeFormat | None:
    fitting = [text for text in texts if _ISO.fullmatch(text)]
    if not _mostly(fitting, texts):
        return None
    plain = column.astype("string").str.strip().str.replace(" UTC", "Z")
    instants = _plausible(pd.to_datetime(plain, format="ISO8601", errors="coerce", utc=True))
    has_zone = all(map(_ZONE.fullmatch, fitting))
    return None if instants.isna().all() else TimeFormat(ISO, has_zone, instants)


def _of_format(
    column: "pd.Series[Any]", texts: Sequence[str], days: "pd.Series[Any]"
) -> TimeFormat | None:
    """The format, of those that fit, whose dates are nearest to the days of the files."""
    formats = {it: None for text in texts[:_BEGINNINGS] for it in _formats(text)}
    fitting = [_parse(column, it) for it in formats if _fits(texts, it)]
    timed = [it for it in fitting if it.instants.notna().any()]
    return min(timed, key=partial(_distance, days), default=None)


def _formats(text: str) -> Iterator[str]:
    """Yield the formats that a text may have, by its date and by what is after it."""
    for date in _DATES:
        rest = _after(date, text)
        if rest == "":
            yield date
        elif rest:
            yield from (f"{date}{clock}" for clock in _clocks(rest))


def _after(date: str, text: str) -> str | None:
    """What is after the date in a text; None if it does not begin with one."""
    try:
        dt.datetime.strptime(text, date)  # noqa: DTZ007  (a date)
    except ValueError as error:
        _, unread, rest = str(error).partition("unconverted data remains: ")
        return rest if unread else None
    return ""


def _clocks(rest: str) -> Iterator[str]:
    betweens = [it for it in _BETWEEN if rest.startswith(it)]
    zones = [zone for zone, pattern in _ZONES.items() if pattern.search(rest)]
    yield from map("".join, product(betweens, _CLOCKS, zones))


def _fits(texts: Sequence[str], time_format: str) -> bool:
    few = texts[:_BEGINNINGS]  # as most formats do not fit
    return any(_has(it, time_format) for it in few) and _mostly(
        [text for text in texts if _has(text, time_format)], texts
    )


def _has(text: str, time_format: str) -> bool:
    """Whether a text is a plausible time in a format."""
    try:
        year = dt.datetime.strptime(text, time_format).year  # noqa: DTZ007  (the zone comes later)
    except ValueError:
        return False
    return _FIRST.year <= year < _LAST.year


def _parse(column: "pd.Series[Any]", time_format: str) -> TimeFormat:
    texts = column.astype("string").str.strip()
    instants = pd.to_datetime(texts, format=time_format, errors="coerce", utc=True)
    return TimeFormat(time_format, time_format.lower().endswith("%z"), _plausible(instants))


def _distance(days: "pd.Series[Any]", time_format: TimeFormat) -> float:
    """Median distance of the dates from the days of their files; 0 if files have no days."""
    distances = distances_in_days(time_format.instants, days)
    return float(distances.abs().median()) if len(distances) else 0.0


def distances_in_days(instants: "pd.Series[Any]", days: "pd.Series[Any]") -> "pd.Series[Any]":
    """Days from the day of its file until each time, for times that have both."""
    starts = pd.to_datetime(days, errors="coerce", utc=True)
    return ((instants - starts).dt.total_seconds() / 86_400).dropna()


def count_hours(instants: "pd.Series[Any]", days: "pd.Series[Any]") -> Mapping[int, int]:
    """Count lines by the hour of their time, from the begin of the day of their file in UTC."""
    hours = (distances_in_days(instants, days) * _HOURS).floordiv(1).astype(int)
    near = hours[hours.between(-3 * _HOURS, 3 * _HOURS)]
    return dict(Counter(near.tolist()))
