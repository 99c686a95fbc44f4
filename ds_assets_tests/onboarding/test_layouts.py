"""Where the files of days are is guessed from paths."""

import datetime as dt

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ds_assets.onboarding.layouts import common_name, group_by_kind, guess_layout
from ds_assets.path_patterns import PathPattern, read_path_pattern

DAY = dt.date(2026, 2, 3)
PATTERNS = (
    *("dt=%Y-%m-%d", "%Y/%m/%d", "year=%Y/month=%m/day=%d", "year=%Y/month=%-m/day=%-d"),
    *("events_%Y%m%d", "events_%Y%m%d.json.gz", "logs/%Y.%m.%d", "%d-%m-%Y", "%m-%d-%Y"),
    *("a/b/%Y_%m_%d.csv", "orders-%d.%m.%Y.csv", "%Y-%-m-%-d/x", "game %% [a]/dt=%Y-%m-%d"),
    *("export-%Y-%m-%d-%H", "%Y%m%d%H.jsonl", "%Y%m%d%H%M.jsonl", "log_%Y%m%d%H%M%S.log"),
    *("%Y/%m/%d/%H", "%Y/%m/%d.jsonl", "run=%Y-%m-%d-%H-%M-%S/part-0", "log-%s.jsonl"),
    *("%Y-%m-%dT%H0000.csv.gz", "y/%Y/m%m/d%d", "copy-2026-12-31/%Y-%m-%d.jsonl"),
)


def paths_of(pattern: str, days: list[dt.date]) -> list[str]:
    """Paths of files on the noons of days."""
    filled = [PathPattern(pattern).fill(day) for day in days]
    return [path if "." in path.rpartition("/")[2] else f"{path}/a.jsonl" for path in filled]


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=15)
@given(first=st.dates(dt.date(2002, 1, 1), dt.date(2030, 1, 1)), count=st.integers(20, 40))
def test_the_days_of_every_pattern_are_read_back(pattern: str, first: dt.date, count: int) -> None:
    days = [first + dt.timedelta(number) for number in range(count)]
    paths = paths_of(pattern, days)
    layout = guess_layout(paths)
    assert layout
    assert layout.days == tuple(days)
    assert layout.day_of == dict(zip(paths, days, strict=True))
    read_path_pattern(layout.path)
    for path, day in layout.day_of.items():
        parts = PathPattern(layout.path).parts
        read = [part.read(name) for part, name in zip(parts, path.split("/"), strict=False)]
        assert read == [part.key(day) for part in parts]


@given(
    st.lists(
        st.text(st.sampled_from("ab/-_%*. 012"), min_size=1, max_size=12), min_size=1, max_size=5
    ),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d.%m.%Y"]),
)
def test_a_pattern_of_any_names_is_valid(names: list[str], day: str) -> None:
    paths = [f"{name}{DAY:{day}}{name[::-1]}" for name in names]
    assume(all(all(it not in {"", ".", ".."} for it in path.split("/")) for path in paths))
    if layout := guess_layout(paths):
        assert read_path_pattern(layout.path) == layout.path


@pytest.mark.parametrize(
    ("paths", "pattern"),
    [
        (["187_2026-02-03_1#0.json.gz", "187_2026-02-03_23#1.json.gz"], "187_%Y-%m-%d_*.json.gz"),
        (["eu/2026-02-03.jsonl", "us/2026-02-03.jsonl"], "*/%Y-%m-%d.jsonl"),
        (["evt_1770076800417.gz", "evt_1770163200099.gz"], "evt_%s.gz"),
        (["2026-02-03/2026-02-03.jsonl", "2026-02-04/2026-02-04.jsonl"], "%Y-%m-%d"),
        (["a-2026-02-03.csv", "a-2026-02-04.csv", "readme.csv"], "a-%Y-%m-%d.csv"),
    ],
)
def test_what_differs_is_a_star(paths: list[str], pattern: str) -> None:
    layout = guess_layout(paths)
    assert layout
    assert layout.path == pattern


@pytest.mark.parametrize(
    "paths", [[], ["a.jsonl"], ["v1.2.3/a.jsonl"], ["2026-13-45.csv"], ["a-2026-02-03.csv", *"bcd"]]
)
def test_files_without_days_have_no_layout(paths: list[str]) -> None:
    assert guess_layout(paths) is None


def test_folders_that_were_not_looked_into_are_days_too() -> None:
    folders = [f"dt=2026-02-{day:02}" for day in range(1, 10)]
    layout = guess_layout([f"{folders[0]}/a.jsonl"], folders)
    assert layout
    assert len(layout.days) == 9


def test_names_of_one_kind_differ_in_digits_and_ids_alone() -> None:
    names = ["a-1.csv", "a-22.csv", "b-1.csv", "c-0123abcd.csv", "c-deadbeef00.csv"]
    assert [*group_by_kind(names).values()] == [names[:2], names[2:3], names[3:]]
    assert common_name(names[:2]) == "a-*.csv"
