"""How times are written is found out from values, and from the days of their files."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.onboarding.times import (
    TimeFormat,
    count_hours,
    distances_in_days,
    find_time_format,
)
from ds_assets.time_formats import TICKS_PER_SECOND, read_time_format

INSTANT = dt.datetime(2026, 2, 27, 21, 5, 9, tzinfo=dt.UTC)
DATES = (
    *("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%Y"),
    *("%m-%d-%Y", "%Y%m%d", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y", "%d/%b/%Y", "%B %d, %Y"),
    *("%Y.%m.%d", "%a %b %d %Y", "%a, %d %b %Y"),
)
CLOCKS = (
    *(" %H:%M:%S", "T%H:%M:%S.%f", " %I:%M:%S %p", ":%H:%M:%S", " %H:%M"),
    *(" %I:%M:%S%p", "-%H%M%S"),
)
INSTANTS = st.integers(789_000_000, 2_493_000_000).map(
    lambda it: dt.datetime.fromtimestamp(it, dt.UTC)
)


def later(time: Any, minutes: int) -> Any:
    """A time that many minutes later, as the first one is written."""
    if isinstance(time, int):
        return time + 60 * minutes
    return time.replace("21:05", f"21:{minutes:02}")


def find(values: list[Any], day: dt.date | None = None) -> TimeFormat | None:
    column = pd.Series(values, dtype=object)
    return find_time_format(column, pd.Series([day] * len(values), dtype=object))


def read(values: list[Any], day: dt.date | None = None) -> tuple[str, bool, list[dt.datetime]]:
    times = find(values, day)
    assert times
    return times.name, times.has_zone, [it.to_pydatetime() for it in times.instants]


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("clock", ["", *CLOCKS])
def test_times_of_a_format_are_read_back(date: str, clock: str) -> None:
    instants = [INSTANT, INSTANT - dt.timedelta(days=1, hours=10)]
    written = [f"{it:{date}{clock}}" for it in instants]
    name, has_zone, times = read(written, INSTANT.date())
    read_time_format(name)
    precise = [dt.datetime.strptime(it, f"{date}{clock}") for it in written]  # noqa: DTZ007
    assert (times, has_zone) == ([it.replace(tzinfo=dt.UTC) for it in precise], False)


@pytest.mark.slow
@given(st.lists(INSTANTS, min_size=1, max_size=5), st.sampled_from([*TICKS_PER_SECOND]))
def test_numbers_since_1970_are_read_back(instants: list[dt.datetime], name: str) -> None:
    ticks = TICKS_PER_SECOND[name]
    numbers = [int(it.timestamp()) * ticks for it in instants]
    for values in (numbers, [str(it) for it in numbers], [*map(float, numbers)]):
        assert read(values) == (name, True, instants)


@pytest.mark.slow
@given(INSTANTS)
def test_iso_times_are_read_back(instant: dt.datetime) -> None:
    for text in (f"{instant:%Y-%m-%dT%H:%M:%S.%fZ}", f"{instant:%Y-%m-%d %H:%M:%S.%f UTC}"):
        assert read([text]) == ("iso8601", True, [instant])
    assert read([f"{instant:%Y-%m-%d %H:%M:%S.%f}"]) == ("iso8601", False, [instant])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("27/Feb/2026:21:05:09 +0000", "%d/%b/%Y:%H:%M:%S %z"),
        ("02/27/2026 21:05:09+0000", "%m/%d/%Y %H:%M:%S%z"),
    ],
)
def test_an_offset_is_part_of_the_format(text: str, name: str) -> None:
    assert read([text]) == (name, True, [INSTANT])


def test_times_of_parquet_need_no_format() -> None:
    assert read([INSTANT, INSTANT]) == ("iso8601", True, [INSTANT] * 2)
    assert read([INSTANT.replace(tzinfo=None)]) == ("iso8601", False, [INSTANT])
    assert read([INSTANT.date()])[2] == [INSTANT.replace(hour=0, minute=0, second=0)]


@pytest.mark.parametrize(
    ("day", "name"), [(dt.date(2026, 3, 4), "%d/%m/%Y"), (dt.date(2026, 4, 3), "%m/%d/%Y")]
)
def test_the_days_of_files_show_whether_the_month_is_first(day: dt.date, name: str) -> None:
    assert read(["04/03/2026"], day)[0] == name


@pytest.mark.parametrize("odd", [0, "0001-01-01T00:00:00Z", "none", "0000-00-00 00:00:00"])
@pytest.mark.parametrize(
    "usual", [1_770_000_000, f"{INSTANT:%Y-%m-%dT%H:%M:%SZ}", f"{INSTANT:%d.%m.%Y %H:%M}"]
)
def test_a_few_lines_without_a_time_are_passed_over(odd: Any, usual: Any) -> None:
    column = [odd, *[later(usual, number) for number in range(40)]]
    times = find(column)
    assert times
    assert times.instants.isna().tolist() == [True] + [False] * 40


@pytest.mark.parametrize(
    "values",
    [[], [None], [True, False], ["a"], [7, 8], ["1970-01-01"], ["12.5"], [b"x"], [{}.keys()]],
)
def test_what_is_no_time_has_no_format(values: list[Any]) -> None:
    assert find(values) is None


def test_hours_are_counted_from_the_begin_of_the_day_of_the_file() -> None:
    days = pd.Series([INSTANT.date()] * 3 + [None], dtype=object)
    instants = pd.Series([INSTANT, INSTANT, INSTANT - dt.timedelta(1), INSTANT])
    assert count_hours(instants, days) == {21: 2, -3: 1}
    assert distances_in_days(instants, days).round(2).tolist() == [0.88, 0.88, -0.12]
