"""Which days are run first, and which together."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.run_order import MAX_DAYS_PER_RUN, rank, split_into_runs

START = dt.date(2026, 1, 1)


def day(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


def test_what_the_newest_day_reads_comes_first_and_in_each_part_the_oldest() -> None:
    days = [day(number) for number in range(6)]
    ordered = sorted(days, key=lambda it: rank(it, newest=day(5), block_days=2))
    assert ordered == [day(3), day(4), day(5), day(0), day(1), day(2)]


def test_a_run_ends_at_a_gap_and_where_days_have_failed_differently_often() -> None:
    days = [day(number) for number in (0, 1, 3, 4, 5, 6, 7)]
    failures = {day(4): 1, day(5): 1, day(6): 2, day(7): 2}
    runs = split_into_runs(days, lambda it: failures.get(it, 0))
    assert runs == [[day(0), day(1)], [day(3)], [day(4), day(5)], [day(6)], [day(7)]]


@given(
    numbers=st.lists(st.integers(0, 99), unique=True),
    failures=st.dictionaries(st.integers(0, 99), st.integers(0, 4)),
)
def test_every_day_is_in_one_run_in_the_given_order(
    numbers: list[int], failures: dict[int, int]
) -> None:
    days = [day(number) for number in numbers]
    runs = split_into_runs(days, lambda it: failures.get((it - START).days, 0))
    assert [it for run in runs for it in run] == days
    assert all(0 < len(run) <= MAX_DAYS_PER_RUN for run in runs)
