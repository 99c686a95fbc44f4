"""Ranges of days that follow each other: their days, and days in words."""

import datetime as dt
from collections.abc import Iterable

_MAX_RANGES = 10


def list_days(first: dt.date, last: dt.date) -> list[dt.date]:
    """List the days of a range, both ends included; none if it ends before it begins."""
    return [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]


def split_into_ranges(days: Iterable[dt.date]) -> list[tuple[dt.date, dt.date]]:
    """First and last day of each range of days that follow each other.

    Args:
        days: The days, ascending.
    """
    ranges: list[tuple[dt.date, dt.date]] = []
    for day in days:
        if ranges and day == ranges[-1][1] + dt.timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return ranges


def list_ranges(days: Iterable[dt.date]) -> str:
    """Days as ranges in words, such as `2026-01-01, 2026-01-03 to 2026-01-05`; ten at most.

    Args:
        days: The days, ascending.
    """
    ranges = split_into_ranges(days)
    listed = [f"{first}" if first == last else f"{first} to {last}" for first, last in ranges]
    more = [f"{len(listed) - _MAX_RANGES} more ranges"] if len(listed) > _MAX_RANGES else []
    return ", ".join([*listed[:_MAX_RANGES], *more])
