"""Days as ranges: every day is in one of them, and none else."""

import datetime as dt
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.day_ranges import list_days, list_ranges, split_into_ranges

START = dt.date(2026, 1, 1)


@given(st.sets(st.integers(0, 60)))
def test_ranges_hold_exactly_the_days_and_do_not_touch(numbers: set[int]) -> None:
    days = [START + dt.timedelta(days=number) for number in sorted(numbers)]
    ranges = split_into_ranges(days)
    inside = [
        first + dt.timedelta(days=n)
        for first, last in ranges
        for n in range((last - first).days + 1)
    ]
    assert inside == days
    for (_, end), (begin, _) in pairwise(ranges):
        assert (begin - end).days > 1


def test_ranges_in_words_end_with_the_number_of_those_that_are_not_named() -> None:
    days = [START + dt.timedelta(days=2 * number) for number in range(12)]
    assert list_ranges([START, *(START + dt.timedelta(days=n) for n in (2, 3))]) == (
        "2026-01-01, 2026-01-03 to 2026-01-04"
    )
    assert list_ranges(days).endswith("2026-01-19, 2 more ranges")


@given(st.integers(0, 60))
def test_the_days_of_a_range_are_that_range_again(length: int) -> None:
    last = START + dt.timedelta(days=length)
    assert split_into_ranges(list_days(START, last)) == [(START, last)]


def test_a_range_that_ends_before_it_begins_has_no_days() -> None:
    assert list_days(START, START - dt.timedelta(days=1)) == []
