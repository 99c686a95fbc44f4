"""How times are written, and at which clock, guessed from values and the days of their files."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
_ZONES = ("", " %z", "%z", "Z", " UTC", " %Z")
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
    if all(map(_EPOCH.fullmatch, texts)) and (ticks := _find_ticks(texts)):
        seconds = pd.to_numeric(column, errors="coerce") / TICKS_PER_SECOND[ticks]
        return TimeFormat(ticks, True, pd.to_datetime(seconds, unit="s", utc=True))
    if all(map(_ISO.fullmatch, texts)):
        return _of_iso(column, texts)
    return _of_format(column, texts, days)


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _of_objects(column: "pd.Series[Any]", values: "pd.Series[Any]") -> TimeFormat:
    """Times of Parquet, which need no format."""
    has_zone = getattr(values.iloc[0], "tzinfo", None) is not None
    return TimeFormat(ISO, has_zone, pd.to_datetime(column, errors="coerce", utc=True))


def _find_ticks(texts: Sequence[str]) -> str | None:
    numbers = [float(text) for text in texts]
    first, last = _FIRST.timestamp(), _LAST.timestamp()
    fitting = (
        name
        for name, ticks in TICKS_PER_SECOND.items()
        if all(first <= number / ticks <= last for number in numbers)
    )
    return next(fitting, None)


def _of_iso(column: "pd.Series[Any]", texts: Sequence[str]) -> TimeFormat | None:
    instants = pd.to_datetime(
        column.astype("string").str.strip().str.replace(" UTC", "Z"),
        format="ISO8601",
        errors="coerce",
        utc=True,
    )
    has_zone = all(map(_ZONE.fullmatch, texts))
    return None if instants.isna().all() else TimeFormat(ISO, has_zone, instants)


def _of_format(
    column: "pd.Series[Any]", texts: Sequence[str], days: "pd.Series[Any]"
) -> TimeFormat | None:
    """The format, of those that fit, whose dates are nearest to the days of the files."""
    fitting = [_parse(column, it) for it in _formats(texts[0]) if _fits(texts, it)]
    return min(fitting, key=partial(_distance, days), default=None)


def _formats(text: str) -> Iterator[str]:
    dates = [date for date in _DATES if _begins_with(text, date)]
    clocks = (f"{between}{clock}" for between, clock in product(_BETWEEN, _CLOCKS))
    for date, clock, zone in product(dates, ("", *clocks), _ZONES):
        if clock or not zone:
            yield f"{date}{clock}{zone}"


def _begins_with(text: str, date: str) -> bool:
    try:
        dt.datetime.strptime(text, date)  # noqa: DTZ007  (a date)
    except ValueError as error:
        return str(error).startswith("unconverted data")
    return True


def _fits(texts: Sequence[str], time_format: str) -> bool:
    try:
        for text in texts:
            date = dt.datetime.strptime(text, time_format)  # noqa: DTZ007  (the zone comes later)
            if not _FIRST.year <= date.year <= _LAST.year:
                return False
    except ValueError:
        return False
    return True


def _parse(column: "pd.Series[Any]", time_format: str) -> TimeFormat:
    instants = pd.to_datetime(
        column.astype("string").str.strip(), format=time_format, errors="coerce", utc=True
    )
    return TimeFormat(time_format, time_format.lower().endswith("%z"), instants)


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
