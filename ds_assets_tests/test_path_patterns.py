"""Which paths belong to a day, and which patterns are refused."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.path_patterns import PathPart, PathPattern, read_path_pattern

DAY = dt.date(2026, 2, 1)
DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2099, 12, 31))


def part(text: str, zone: str = "UTC") -> PathPart:
    return PathPart(text, zone)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("dt=%Y-%m-%d", "dt=2026-02-01"),
        ("%Y-%-m-%-d", "2026-2-1"),
        ("%Y%m%d%H", "2026020123"),
        ("dt=%Y-%m-%dT%-H", "dt=2026-02-01T7"),
        ("%Y-%m-%d-%H", "2026-02-01-00"),
        ("%Y%m%dT%H%M%S.csv", "20260201T235959.csv"),
        ("events-%Y%m%d*.json.gz", "events-20260201.json.gz"),
        ("events-%Y%m%d*.json.gz", "events-2026020113-part-00007.json.gz"),
        ("*%Y%m%d*", "server1220260201.json"),
        ("*-%Y-%m-%d.csv", "a-b-2026-02-01.csv"),
        ("%Y-%m-%d_to_%Y-%m-%d", "2026-02-01_to_2026-02-01"),
        ("100%%-%Y-%m-%d", "100%-2026-02-01"),
        ("events-%s.json", "events-1769904000.json"),
        ("*_%s_*", "app_1769990399_7.json"),
        ("%s", "1769904000000"),
    ],
)
def test_a_name_that_a_pattern_gives_to_a_day_belongs_to_it(pattern: str, name: str) -> None:
    read_path_pattern(pattern)
    assert part(pattern).read(name) == part(pattern).key(DAY)
    assert part(pattern).read(name) != part(pattern).key(DAY + dt.timedelta(days=1))


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("dt=%Y-%m-%d", "dt=2026-2-1"),
        ("dt=%Y-%m-%d", "dt=2026-02-011"),
        ("dt=%Y-%m-%d", "Dt=2026-02-01"),
        ("%Y-%-m-%-d", "2026-02-01"),
        ("%Y-%m-%d-%H", "2026-02-01-24"),
        ("%Y-%m-%d.csv", "2026-02-01xcsv"),
        ("%Y-%m-%d_to_%Y-%m-%d", "2026-02-01_to_2026-02-02"),
        ("events-%s.json", "events-176990400012.json"),
        ("*%s.json", "17699040001234.json"),
    ],
)
def test_a_name_that_is_written_in_another_way_belongs_to_no_day(pattern: str, name: str) -> None:
    read_path_pattern(pattern)
    assert part(pattern).read(name) != part(pattern).key(DAY)


def test_of_two_dates_in_a_name_the_first_one_counts() -> None:
    assert part("*%Y%m%d*").read("x-20260201-20260202.json") == part("*%Y%m%d*").key(DAY)


def test_the_day_of_an_instant_is_that_of_the_games_clock() -> None:
    name = f"events-{int(dt.datetime(2026, 1, 31, 20, tzinfo=dt.UTC).timestamp())}"
    assert part("events-%s", "Asia/Seoul").read(name) == (f"{DAY}",)
    assert part("events-%s", "UTC").read(name) == ("2026-01-31",)


@given(day=DAYS, second=st.integers(10**9, 4 * 10**9), zone=st.sampled_from(["UTC", "Asia/Seoul"]))
def test_an_instant_belongs_to_its_day_only(day: dt.date, second: int, zone: str) -> None:
    own = part("%s", zone).read(f"{second}")
    assert own is not None
    assert (own == part("%s", zone).key(day)) == (own == (f"{day}",))


@given(
    day=st.dates(dt.date(2002, 1, 1), dt.date(2099, 12, 31)),
    zone=st.sampled_from(["UTC", "Asia/Seoul", "America/New_York", "Pacific/Apia"]),
    pattern=st.sampled_from(
        [
            *("dt=%Y-%m-%d", "%Y/%-m/%-d", "%Y%m%dT%H%M%S*", "%-H_%Y-%m-%d", "*%Y%m%d*"),
            *("*_%s_*", "1*%Y*-%-m*%d*", "*/%Y-%m-%d_to_%Y-%m-%d/100%%"),
        ]
    ),
)
def test_a_path_that_is_filled_for_a_day_belongs_to_it(
    day: dt.date, zone: str, pattern: str
) -> None:
    read_path_pattern(pattern)
    path = PathPattern(pattern, zone)
    names = path.fill(day).split("/")
    assert [it.read(name) for it, name in zip(path.parts, names, strict=True)] == [
        it.key(day) for it in path.parts
    ]
    assert not {*"*%"} & set(path.fill(day).replace("100%", ""))


def test_a_path_is_shown_with_stars_for_what_may_be_anything() -> None:
    assert PathPattern("a/*/%Y/%-m/%d-%H_%%x*").show(DAY) == "a/*/2026/2/01-*_%x*"
    assert PathPattern("logs/%s.json").show(DAY) == "logs/*.json"


@pytest.mark.parametrize(
    ("pattern", "top", "is_fixed"),
    [
        ("dt=%Y-%m-%d", "", True),
        ("logs/a/%Y/%-m/%-d", "logs/a", True),
        ("%Y-%m-%d/events", "", True),
        ("export/%Y-%m-%d_*.csv", "export", False),
        ("*/dt=%Y-%m-%d", "", False),
        ("logs/%Y-%m-%d-%H", "logs", False),
        ("100%%/%s", "100%", False),
    ],
)
def test_a_pattern_says_whether_a_day_has_one_path(pattern: str, top: str, is_fixed: bool) -> None:
    assert (PathPattern(pattern).top, PathPattern(pattern).is_fixed) == (top, is_fixed)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "'' is not a name"),
        ("%Y-%m", "must hold %Y, %m and %d, for example 'dt=%Y-%m-%d', or seconds since 1970, %s"),
        ("*/events.json", "must hold %Y, %m and %d"),
        ("%y-%m-%d", "%y is not supported; use %Y %m %-m %d %-d %H %-H %M %S %s or %%"),
        ("%Y-%m-%-j", "%-j is not supported"),
        ("%Y-%m-%d%", "% is not supported"),
        ("/logs/%Y-%m-%d", "is relative to the log source; begin with the name"),
        ("s3://bucket/%Y-%m-%d", "is relative to the log source"),
        ("../%Y-%m-%d", "'..' is not a name"),
        ("./%Y-%m-%d", "'.' is not a name"),
        ("logs//%Y-%m-%d", "'' is not a name; write names with one / between them"),
        ("**/%Y-%m-%d", r"** is not supported; write * once, and */ for each folder"),
        ("%Y%-m%-d", "%-m needs a character beside it that is not a digit"),
        ("%Y-%m-%-d1", "%-d needs a character beside it that is not a digit"),
        ("v2%s", "%s needs a character beside it that is not a digit"),
        ("%Y-%m-%d/%s", "%s is the time with its date; use * in place of the other directives"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011  (the reason is compared below)
        read_path_pattern(pattern)
    assert str(refusal.value).startswith(reason)


@pytest.mark.parametrize(
    "pattern", ["dt=%Y-%m-%d/", "%Y/%-m/%-d", "*/%Y/%m/%d/%H/*.json", "*%-d*%Y-%m"]
)
def test_any_other_pattern_is_accepted(pattern: str) -> None:
    assert read_path_pattern(pattern) == pattern.rstrip("/")
