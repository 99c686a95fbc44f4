"""Days on which a game is offline: single dates, and weekdays on which it is always shut.

Scope: which days these are. Counting the others is in `core.open_days`.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class ClosedDays:
    """Closed days of all times.

    Attributes:
        dates: Those that are not on a closed weekday; others are left out.
        weekdays: Weekdays that are always closed, counted from Monday as 0.
    """

    dates: frozenset[dt.date] = frozenset()
    weekdays: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        """Leave out dates on closed weekdays, which would count twice."""
        others = frozenset(day for day in self.dates if day.weekday() not in self.weekdays)
        object.__setattr__(self, "dates", others)

    def __contains__(self, day: dt.date) -> bool:
        """Whether a day is closed."""
        return day in self.dates or day.weekday() in self.weekdays

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.dates or self.weekdays)

    def count(self, begin: dt.date, end: dt.date) -> int:
        """Count the closed days after one day, up to and with a later one."""
        if end <= begin:
            return 0
        weekly = (_weeks(end, weekday) - _weeks(begin, weekday) for weekday in self.weekdays)
        return sum(begin < day <= end for day in self.dates) + sum(weekly)

    def as_written(self) -> list[str]:
        """The days as in the game file."""
        return [*map(str, sorted(self.dates)), *(WEEKDAYS[it] for it in sorted(self.weekdays))]


NO_CLOSED_DAYS = ClosedDays()

Closed = ClosedDays | Collection[dt.date]
"""Closed days, also as a plain set of dates."""


def closed_days_of(closed: Closed) -> ClosedDays:
    """The closed days of a set of dates, or as they are."""
    return closed if isinstance(closed, ClosedDays) else ClosedDays(frozenset(closed))


def read_closed_days(value: object) -> ClosedDays:
    """Validate a list of dates and weekdays.

    Raises:
        ValueError: with a message for the author of the game file.
    """
    if isinstance(value, ClosedDays):
        return value
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueError("must be a list")  # noqa: TRY004
    days = {_read_day(it) for it in value}
    weekdays = frozenset(it for it in days if isinstance(it, int))
    if len(weekdays) == len(WEEKDAYS):
        raise ValueError("a game that is closed on every weekday has no days")
    return ClosedDays(frozenset(it for it in days if isinstance(it, dt.date)), weekdays)


def _read_day(value: object) -> dt.date | int:
    """A date, or a weekday as its number."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str):
        if value.lower() in WEEKDAYS:
            return WEEKDAYS.index(value.lower())
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError(f"{value!r} is no day; write a date such as 2026-01-31, or saturday")


def _weeks(day: dt.date, weekday: int) -> int:
    """Number of days on a weekday up to and with a day; the first day of all is a Monday."""
    return (day.toordinal() + 6 - weekday) // 7
