"""Days on which the game was open: those that windows and horizons count.

On a closed day no user can be active. If it counted, a maintenance of three days would look as if
all users had left. So closed days are taken out of the calendar: a window or a horizon of seven
days holds seven open days, however many closed days are among them.

Scope: counting open days, for dates and for columns of an engine.
"""

import datetime as dt
from collections.abc import Collection
from itertools import accumulate
from typing import Any

_DAY = dt.timedelta(days=1)


def add_open_days(day: dt.date, count: int, closed: Collection[dt.date]) -> dt.date:
    """Find the last of so many open days after a day; the day itself for none."""
    end = day + count * _DAY
    missing = _count_between(day, end, closed)
    while missing:
        begin, end = end, end + missing * _DAY
        missing = _count_between(begin, end, closed)
    return end


def subtract_open_days(day: dt.date, count: int, closed: Collection[dt.date]) -> dt.date:
    """Find the latest day after which there were so many open days, up to and with a day."""
    begin = day - count * _DAY
    missing = _count_between(begin, day, closed)
    while missing:
        end, begin = begin, begin - missing * _DAY
        missing = _count_between(begin, end, closed)
    return begin


def find_open_day(day: dt.date, ago: int, closed: Collection[dt.date]) -> dt.date:
    """Find the open day from which so many open days have passed."""
    open_day = subtract_open_days(day, ago, closed)
    while open_day in closed:
        open_day -= _DAY
    return open_day


def count_open_days(begin: dt.date, end: dt.date, closed: Collection[dt.date]) -> int:
    """Count the open days after one day, up to and with a later one."""
    return (end - begin).days - _count_between(begin, end, closed)


def most_days(count: int, closed: Collection[dt.date]) -> int:
    """Largest number of days that so many open days can take, closed days included."""
    # The longest windows begin with a closed day.
    lengths = ((add_open_days(day - _DAY, count, closed) - day).days + 1 for day in closed)
    return max(lengths, default=count)


def open_days_between(f: Any, first: Any, last: Any, closed: Collection[dt.date]) -> Any:
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


def is_open(f: Any, date: Any, closed: Collection[dt.date]) -> Any:
    """Whether a date is an open day, as a column."""
    if not closed:
        return f.lit(True)
    return _count_closed(f, date, closed) == _count_closed(f, f.date_sub(date, 1), closed)


def _count_closed(f: Any, date: Any, closed: Collection[dt.date]) -> Any:
    """Count the closed days up to and with a date, as a column.

    The counts are a list with an item for each date from the day before the first closed day to the
    last one. It is written as a single text: planning a query takes time for each literal in it.
    """
    first = min(closed)
    dates = (first + n * _DAY for n in range((max(closed) - first).days + 1))
    counts = list(accumulate((date in closed for date in dates), initial=0))
    items = f.split(f.lit(" ".join(map(str, counts))), " ").cast("array<int>")
    position = f.datediff(date, f.lit(str(first)).cast("date")) + 2
    return f.element_at(items, f.greatest(f.lit(1), f.least(position, f.lit(len(counts)))))


def _count_between(begin: dt.date, end: dt.date, closed: Collection[dt.date]) -> int:
    """Count the closed days after one day, up to and with a later one."""
    return sum(begin < day <= end for day in closed) if closed else 0
