"""Windows and horizons that closed days make longer."""

import datetime as dt

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ds_assets.closed_days import Closed, ClosedDays
from ds_assets.core.open_days import (
    add_open_days,
    count_open_days,
    find_open_day,
    is_open,
    most_days,
    open_days_between,
    subtract_open_days,
)
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets_tests.core.factories import FIRST_DAY


def day(number: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(days=number)


DATES = st.frozensets(st.integers(-40, 40).map(day), max_size=30)
WEEKDAYS = st.frozensets(st.integers(0, 6), max_size=3)
CLOSED = DATES | st.builds(ClosedDays, DATES, WEEKDAYS)
COUNTS = st.integers(0, 40)
NUMBERS = st.integers(-50, 50)
DAYS = [day(number) for number in range(-45, 45)]


def count_open(first: dt.date, last: dt.date, closed: Closed) -> int:
    """Open days after one day, up to and with another, one by one."""
    days = [first + dt.timedelta(days=n + 1) for n in range((last - first).days)]
    return len([it for it in days if it not in closed])


@given(first=NUMBERS, count=COUNTS, closed=CLOSED)
def test_open_days_are_counted_without_the_closed_ones(
    first: int, count: int, closed: Closed
) -> None:
    begin, end = day(first), day(first + count)
    assert count_open_days(begin, end, closed) == count_open(begin, end, closed)


@given(number=NUMBERS, count=COUNTS, closed=CLOSED)
def test_so_many_open_days_lie_up_to_the_day_that_is_found_and_it_is_open(
    number: int, count: int, closed: Closed
) -> None:
    end = add_open_days(day(number), count, closed)
    assert count_open(day(number), end, closed) == count
    assert not count or end not in closed
    assert (end - day(number)).days <= most_days(count, closed)


@given(number=NUMBERS, count=COUNTS, closed=CLOSED)
def test_so_many_open_days_lie_after_the_day_that_is_found_and_it_is_the_latest(
    number: int, count: int, closed: Closed
) -> None:
    begin = subtract_open_days(day(number), count, closed)
    assert count_open(begin, day(number), closed) == count
    assert not count or count_open(begin + dt.timedelta(1), day(number), closed) == count - 1


@given(number=NUMBERS, ago=COUNTS, closed=CLOSED)
def test_the_day_from_which_so_many_open_days_have_passed_is_open(
    number: int, ago: int, closed: Closed
) -> None:
    last_seen = find_open_day(day(number), ago, closed)
    assert last_seen not in closed
    assert count_open(last_seen, day(number), closed) == ago


@given(count=COUNTS, closed=CLOSED)
def test_the_longest_window_is_as_long_as_one_that_there_is(count: int, closed: Closed) -> None:
    starts = [day(number) for number in range(-90, 50)]
    lengths = {(add_open_days(start, count, closed) - start).days for start in starts}
    assert max(lengths) == most_days(count, closed)


@settings(max_examples=5, derandomize=True)  # each plans a query, over all pairs of days
@example(closed=frozenset())
@example(closed=frozenset({day(0)}))
@example(closed=ClosedDays(weekdays=frozenset({5, 6})))
@example(closed=ClosedDays(frozenset({day(0), day(9)}), frozenset({2})))
@given(closed=CLOSED)
def test_columns_of_an_engine_count_open_days_in_the_same_way(closed: Closed) -> None:
    engine = open_duckdb(memory_limit_mb=500, threads=1)
    f = engine.functions
    with (
        engine.values([(day,) for day in DAYS], "first date") as firsts,
        engine.values([(day,) for day in DAYS], "last date") as lasts,
    ):
        pairs = firsts.join(lasts, f.col("first") <= f.col("last"))
        days = open_days_between(f, f.col("first"), f.col("last"), closed).alias("days")
        is_open_day = is_open(f, f.col("last"), closed).alias("is_open")
        rows = engine.to_pandas(pairs.select("first", "last", days, is_open_day))
    for row in rows.to_dict("records"):
        first, last = row["first"].date(), row["last"].date()
        assert row["days"] == count_open(first, last, closed)
        assert row["is_open"] == (last not in closed)
