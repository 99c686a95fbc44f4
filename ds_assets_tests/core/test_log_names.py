import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.log_names import find_misnamed_days, is_log
from ds_assets.path_patterns import PathPart

DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2099, 12, 31))
WORKING_FILES = [
    "_SUCCESS",
    ".hidden",
    "_temporary/0/part-0.jsonl",
    "a/b/_temporary/part-0.jsonl",
    ".ipynb_checkpoints/part-0-checkpoint.jsonl",
    "_delta_log/00000000000000000000.json",
    "__MACOSX/._part-0.jsonl",
    ".hoodie/hoodie.properties",
    "part-0.jsonl._COPYING_",
    "part-0.jsonl.tmp",
    "part-0.TMP",
    "part-0.tmp/part-0.jsonl",
    ".part-0-0.inprogress.3f2a",
    "part-0-0.inprogress.3f2a",
    "part-0.jsonl.inprogress",
    "part-0.jsonl.gz.part",
    ".part-0.jsonl.crc",
    "part-0.jsonl.crc",
    "part-0.jsonl.md5",
    "part-0.jsonl~",
    "a/Thumbs.db",
    "",
    "folder/",
]
LOGS = [
    "part-0.jsonl",
    "13h/part-0.jsonl.gz",
    "no_extension",
    "a.b.c",
    "tmp/part-0",
    "temporary.jsonl",
    "country=_other/part-0.parquet",
    "_shard=3/part-0.parquet",
    "__HIVE_DEFAULT_PARTITION__=/part-0",
    "../../up.jsonl",
    "a//b.jsonl",
    "parts.jsonl",
    "쿠키.jsonl",
]


def part(text: str) -> PathPart:
    return PathPart(text, "UTC")


DAY = part("dt=%Y-%m-%d")


@pytest.mark.parametrize("name", WORKING_FILES)
def test_a_working_folder_or_a_half_written_file_is_not_a_log(name: str) -> None:
    assert not is_log(name)


@pytest.mark.parametrize("name", LOGS)
def test_any_other_file_is_a_log(name: str) -> None:
    assert is_log(name)


@given(
    folders=st.lists(st.sampled_from(["a", "b=1", "_c=2"]), max_size=3),
    working=st.sampled_from(["_temporary", ".git", "x.tmp", "x._COPYING_"]),
    place=st.integers(0, 3),
)
def test_nothing_in_a_working_folder_is_a_log_wherever_it_stands(
    folders: list[str], working: str, place: int
) -> None:
    assert is_log("/".join([*folders, "a.jsonl"]))
    folders.insert(place, working)
    assert not is_log("/".join([*folders, "a.jsonl"]))


@pytest.mark.parametrize(
    "name",
    [
        "dt=2026-2-1",
        "day=2026-02-01",
        "2026-02-01",
        "dt=20260201",
        "dt=2026-02-01T00",
        "dt=2026-02-01 (copy)",
        "dt=2026-02-01.bak",
        "dt=2026_02_01",
        "2026",
        "year=2026",
    ],
)
def test_a_folder_that_is_named_almost_like_a_day_is_found(name: str) -> None:
    assert find_misnamed_days([name, "dt=2026-02-01"], DAY) == [name]


@pytest.mark.parametrize(
    "name", ["dt=2026-02-01", "notes", "v2", "_temporary-2026-02-01", "build-20260201000000"]
)
def test_a_day_and_a_folder_of_something_else_are_not_misnamed(name: str) -> None:
    assert find_misnamed_days([name], DAY) == []


def test_a_day_within_a_months_folder_has_two_digits() -> None:
    assert find_misnamed_days(["07", "7", "other"], part("%d")) == ["7"]
    assert find_misnamed_days(["07", "7", "other"], part("%-d")) == ["07"]


@given(day=DAYS, pattern=st.sampled_from(["dt=%Y-%m-%d", "%Y%m%d", "%d"]))
def test_no_day_of_the_pattern_is_misnamed(day: dt.date, pattern: str) -> None:
    assert find_misnamed_days([day.strftime(pattern)], part(pattern)) == []
