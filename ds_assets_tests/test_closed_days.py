import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.closed_days import WEEKDAYS, ClosedDays, read_closed_days

SATURDAY = dt.date(2026, 5, 2)
DAYS = st.dates(dt.date(1970, 1, 1), dt.date(2100, 1, 1))


def test_dates_and_weekdays_are_closed() -> None:
    closed = read_closed_days(["Saturday", "2026-05-05", dt.date(2026, 5, 6), "2026-05-09"])
    first = dt.date(2026, 5, 1)
    days = [first + dt.timedelta(days=n) for n in range(9)]
    assert [day.day for day in days if day in closed] == [2, 5, 6, 9]
    assert closed.as_written() == ["2026-05-05", "2026-05-06", "saturday"]
    assert read_closed_days(closed.as_written()) == closed
    assert read_closed_days(closed) is closed


def test_a_game_may_have_no_closed_days() -> None:
    assert not read_closed_days([])
    assert read_closed_days(["monday"])


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        ("saturday", "must be a list"),
        ([1], "1 is no day; write a date such as 2026-01-31, or saturday"),
        (["sat"], "'sat' is no day"),
        (["2026-02-30"], "'2026-02-30' is no day"),
        ([dt.datetime(2026, 1, 1)], "datetime.datetime"),  # noqa: DTZ001
        ([*WEEKDAYS], "a game that is closed on every weekday has no days"),
    ],
)
def test_what_is_no_day_is_refused(value: object, mistake: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(mistake)}"):
        read_closed_days(value)


@given(
    begin=DAYS,
    length=st.integers(-5, 60),
    dates=st.frozensets(DAYS, max_size=5),
    weekdays=st.frozensets(st.sampled_from(WEEKDAYS), max_size=6),
)
def test_closed_days_are_counted_after_one_day_up_to_another(
    begin: dt.date, length: int, dates: frozenset[dt.date], weekdays: frozenset[str]
) -> None:
    closed = read_closed_days([*dates, begin + dt.timedelta(days=3), *weekdays])
    days = [begin + dt.timedelta(days=n + 1) for n in range(length)]
    count = closed.count(begin, begin + dt.timedelta(days=length))
    assert count == sum(day in closed for day in days)


def test_a_set_of_closed_days_can_be_a_key() -> None:
    assert len({ClosedDays(), ClosedDays(), ClosedDays(weekdays=frozenset({5}))}) == 2
