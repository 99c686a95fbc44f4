"""Days on which the game was open: those that windows and horizons count.

On a closed day no user can be active. If it counted, a maintenance of three days would look as if
all users had left. So closed days are taken out of the calendar: a window or a horizon of seven
days holds seven open days, however many closed days are among them.

Scope: counting open days, for dates and for columns of an engine.
"""

import datetime as dt
from functools import cache, reduce
from itertools import accumulate
from typing import Any

from ds_assets.closed_days import Closed, ClosedDays, closed_days_of

_DAY = dt.timedelta(days=1)
_SOME_MONDAY = dt.date(1970, 1, 5)


def add_open_days(day: dt.date, count: int, closed: Closed) -> dt.date:
    """Find the last of so many open days after a day; the day itself for none."""
    end = day + count * _DAY
    missing = _count_between(day, end, closed)
    while missing:
        begin, end = end, end + missing * _DAY
        missing = _count_between(begin, end, closed)
    return end


def subtract_open_days(day: dt.date, count: int, closed: Closed) -> dt.date:
    """Find the latest day after which there were so many open days, up to and with a day."""
    begin = day - count * _DAY
    missing = _count_between(begin, day, closed)
    while missing:
        end, begin = begin, begin - missing * _DAY
        missing = _count_between(begin, end, closed)
    return begin


def find_open_day(day: dt.date, ago: int, closed: Closed) -> dt.date:
    """Find the open day from which so many open days have passed."""
    open_day = subtract_open_days(day, ago, closed)
    while open_day in closed:
        open_day -= _DAY
    return open_day


def count_open_days(begin: dt.date, end: dt.date, closed: Closed) -> int:
    """Count the open days after one day, up to and with a later one."""
    return (end - begin).days - _count_between(begin, end, closed)


def most_days(count: int, closed: Closed) -> int:
    """Largest number of days that so many open days can take, closed days included."""
    return _most_days(count, closed_days_of(closed))


@cache
def _most_days(count: int, closed: ClosedDays) -> int:
    # The longest windows begin with a closed day; those with a date in them not long before it.
    weeks = [_SOME_MONDAY + n * _DAY for n in range(7)]
    reach = 7 * (count + len(closed.dates) + 1) if closed.weekdays else 0
    before = {day - n * _DAY for day in closed.dates for n in range(reach + 1)}
    lengths = (
        (add_open_days(day - _DAY, count, closed) - day).days + 1
        for day in {*weeks, *before}
        if day in closed
    )
    return max(lengths, default=count)


def open_days_between(f: Any, first: Any, last: Any, closed: Closed) -> Any:
    """Number of open days after one date, up to and with a later one, as a column.

    Args:
        f: The engine's column functions.
        first: Column of the earlier date.
        last: Column of the later date.
        closed: The closed days.
    """
    days = f.datediff(last, first)
    if not closed:
        return days
    return days - _count_closed(f, last, closed) + _count_closed(f, first, closed)


def is_open(f: Any, date: Any, closed: Closed) -> Any:
    """Whether a date is an open day, as a column."""
    if not closed:
        return f.lit(True)
    return _count_closed(f, date, closed) == _count_closed(f, f.date_sub(date, 1), closed)


def _count_closed(f: Any, date: Any, closed: Closed) -> Any:
    """Count the closed days up to and with a date, from an arbitrary day on, as a column."""
    days = closed_days_of(closed)
    counts = [_count_weekday(f, date, weekday) for weekday in sorted(days.weekdays)]
    if days.dates:
        counts.append(_count_dates(f, date, days.dates))
    return reduce(lambda left, right: left + right, counts)


def _count_weekday(f: Any, date: Any, weekday: int) -> Any:
    first = f.lit(str(_SOME_MONDAY + weekday * _DAY)).cast("date")
    return f.floor(f.datediff(date, first) / f.lit(7.0)).cast("int")


def _count_dates(f: Any, date: Any, dates: frozenset[dt.date]) -> Any:
    """Count the dates up to and with a date, as a column.

    The counts are a list with an item for each date from the day before the first one to the last
    one. It is written as a single text: planning a query takes time for each literal in it.
    """
    first = min(dates)
    days = (first + n * _DAY for n in range((max(dates) - first).days + 1))
    counts = list(accumulate((day in dates for day in days), initial=0))
    items = f.split(f.lit(" ".join(map(str, counts))), " ").cast("array<int>")
    position = f.datediff(date, f.lit(str(first)).cast("date")) + 2
    return f.element_at(items, f.greatest(f.lit(1), f.least(position, f.lit(len(counts)))))


def _count_between(begin: dt.date, end: dt.date, closed: Closed) -> int:
    """Count the closed days after one day, up to and with a later one."""
    return closed_days_of(closed).count(begin, end) if closed else 0
