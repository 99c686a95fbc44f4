"""The days of a log source, and names that only look like days."""

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.log_names import is_log
from ds_assets.infra.log_source.base import Entries, SourceChangedError, SourceObject
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.path_patterns import PathPattern, read_path_pattern

DAYS = [dt.date(2025, 12, 31), dt.date(2026, 2, 3), dt.date(2026, 2, 4)]
LONG = [dt.date(2024, 1, 1) + dt.timedelta(days=number) for number in range(800)]


class CountingSource:
    """A source in memory that counts listings; each file is empty."""

    def __init__(self, pattern: str, paths: Iterable[str]) -> None:
        self.pattern = PathPattern(pattern)
        self.paths = sorted(paths)
        self.listed: list[str] = []

    def __str__(self) -> str:
        return "memory"

    def folder(self, day: dt.date) -> str:
        return DayFolders(self).folder(day)

    def objects(self, day: dt.date) -> list[SourceObject]:
        return DayFolders(self).objects(day)

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        if item.key not in self.paths:
            raise SourceChangedError(item.key)
        yield b""

    def entries(self, parent: str) -> Entries:
        self.listed.append(parent)
        names = [name.partition("/") for name in self._names(parent)]
        files = {name: self._file(parent, name) for name, slash, _ in names if not slash}
        return Entries(frozenset(name for name, slash, _ in names if slash), files)

    def below(self, folder: str) -> list[SourceObject]:
        return [self._file(folder, name) for name in self._names(folder)]

    def _names(self, folder: str) -> list[str]:
        start = f"{folder}/" if folder else ""
        return [path.removeprefix(start) for path in self.paths if path.startswith(start)]

    def _file(self, folder: str, name: str) -> SourceObject:
        key = f"{folder}/{name}" if folder else name
        return SourceObject(name, key, 0, "", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


def write(pattern: str, day: dt.date, hour: int, free: str) -> str:
    """A path that a program may write by a pattern, with some text for each `*`."""
    time = dt.datetime.combine(day, dt.time(hour), dt.UTC)
    return time.strftime(pattern.replace("*", free.replace("%", "%%")))


@pytest.mark.parametrize(
    "pattern",
    [
        *("dt=%Y-%m-%d", "%Y/%m/%d", "logs/%Y%m%d", "%Y-%m-%d/events"),
        *("year=%Y/month=%-m/day=%-d", "%Y-%m-%d-%H", "events-%Y%m%d*", "logs/*-%s"),
    ],
)
def test_of_many_days_those_with_a_folder_are_found(pattern: str) -> None:
    source = CountingSource(pattern, (f"{write(pattern, it, 5, 'x')}/a.jsonl" for it in DAYS))
    assert DayFolders(source).find_days(LONG) == DAYS
    assert len(source.listed) <= 5  # years and months without days are not listed


@pytest.mark.parametrize("pattern", ["%Y-%m-%d.csv", "events-%Y%m%d*.gz", "a/*_%s.json"])
def test_a_folder_with_the_files_of_all_days_is_listed_once(pattern: str) -> None:
    source = CountingSource(pattern, (write(pattern, it, 5, "x") for it in LONG))
    days = DayFolders(source)
    assert days.find_days(LONG) == LONG
    assert all(len(days.objects(day)) == 1 for day in LONG)
    assert list(days.describe_misnamed()) == []
    assert source.listed == [source.pattern.top]


def test_a_file_that_has_changed_is_listed_again() -> None:
    source = CountingSource("%Y%m%d*", ["20260203-a"])
    days = DayFolders(source)
    (item,) = days.objects(DAYS[1])
    source.paths = ["20260203-b"]
    with pytest.raises(SourceChangedError):
        list(days.blocks(item))
    assert [it.name for it in days.objects(DAYS[1])] == ["20260203-b"]


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("dt=%Y-%m-%d", {"dt=2026-02-03/a": ("a", ""), "dt=2026-02-03/07/b": ("07/b", "")}),
        ("logs/%Y/%-m/%-d", {"logs/2026/2/3/07/a": ("07/a", "")}),
        ("logs/%Y-%m-%d.csv", {"logs/2026-02-03.csv": ("2026-02-03.csv", "")}),
        (
            "logs/%Y-%m-%d-%H",
            {
                "logs/2026-02-03-00/a": ("2026-02-03-00/a", "2026-02-03-00"),
                "logs/2026-02-03-23/a": ("2026-02-03-23/a", "2026-02-03-23"),
            },
        ),
        (
            "logs/*/dt=%Y-%m-%d",
            {
                "logs/eu/dt=2026-02-03/x/a": ("eu/dt=2026-02-03/x/a", "eu/dt=2026-02-03"),
                "logs/us/dt=2026-02-03/x/a": ("us/dt=2026-02-03/x/a", "us/dt=2026-02-03"),
            },
        ),
        (
            "%Y/%m/%d/*.json",
            {"2026/02/03/b.json": ("2026/02/03/b.json", "2026/02/03")},
        ),
        ("export/%Y-%m-%d_*", {"export/2026-02-03_a": ("2026-02-03_a", "")}),
    ],
)
def test_names_begin_where_the_paths_of_a_day_begin_to_differ(
    pattern: str, files: dict[str, tuple[str, str]]
) -> None:
    others = ["other", "2026/02/03/b.txt", "logs/eu/dt=2026-02-04/a", "dt=2026-02-033/a"]
    source = CountingSource(pattern, [*files, *others])
    listed = source.objects(DAYS[1])
    assert {item.key: (item.name, item.folder) for item in listed} == files


DATES = ["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y/%-m/%-d", "%-d.%-m.%Y", "%Y/%m/%Y-%m-%d", "%s"]
BEFORE = ["", "*", "logs/", "*/", "a*/dt=", "a-*_b/*-"]
AFTER = ["", "*", "-*.gz", "/*", "/%H", "-%H-%M", "T%-H", "/b", "/*/b", "-*/%H*"]
PATTERNS = st.tuples(*map(st.sampled_from, (BEFORE, DATES, AFTER))).map("".join)


@given(
    pattern=PATTERNS,
    days=st.sets(st.dates(dt.date(2001, 9, 10), dt.date(2099, 12, 31)), min_size=1, max_size=5),
    hour=st.integers(0, 23),
    free=st.text("abc. =%_é", min_size=1, max_size=5),
    end=st.sampled_from(["", "/a.jsonl", "/07/a.jsonl"]),
)
def test_a_file_that_is_written_for_a_day_belongs_to_this_day_only(
    pattern: str, days: set[dt.date], hour: int, free: str, end: str
) -> None:
    read_path_pattern(pattern)
    paths = {day: f"{write(pattern, day, hour, free)}{end}" for day in days}
    looked = DayFolders(CountingSource(pattern, paths.values()))
    nearby = {day + dt.timedelta(days=number) for day in days for number in (-1, 0, 1)}
    files = {day: looked.objects(day) for day in nearby}
    assert {day: [it.key for it in listed] for day, listed in files.items() if listed} == {
        day: [path] for day, path in paths.items()
    }
    if all(map(is_log, paths.values())):
        assert set(looked.find_days(nearby)) == days


@pytest.mark.parametrize(
    ("pattern", "folder", "place"),
    [
        ("dt=%Y-%m-%d", "dt=2026-2-3", ""),
        ("dt=%Y-%m-%d", "date=2026-02-03", ""),
        ("dt=%Y-%m-%d", "2026/02/03", ""),
        ("%Y/%m/%d", "dt=2026-02-03", ""),
        ("%Y/%m/%d", "2026/2/03", "/2026"),
        ("%Y/%m/%d", "2026/02/3", "/2026/02"),
        ("%Y/%-m/%-d", "2026/02/3", "/2026"),
        ("%Y-%m-%d-%H", "2026-02-03", ""),
        ("eu/*/dt=%Y-%m-%d", "eu/app/dt=2026-02-3", "/eu/app"),
    ],
)
def test_a_folder_that_is_nearly_a_day_is_named(
    tmp_path: Path, pattern: str, folder: str, place: str
) -> None:
    (tmp_path / write(pattern, DAYS[-1], 5, "app")).mkdir(parents=True)
    (tmp_path / folder).mkdir(parents=True)
    folders = DayFolders(FolderLogSource(tmp_path, PathPattern(pattern)))
    assert folders.find_days(DAYS) == DAYS[-1:]
    (sentence,) = folders.describe_misnamed()
    name = folder.removeprefix(place.removeprefix("/")).lstrip("/").partition("/")[0]
    assert sentence == (
        f"{tmp_path}{place}: 1 names look like days and are not collected, because logs.path "
        f"is {pattern}: {name}"
    )


def test_a_file_that_is_nearly_one_of_a_day_is_named_and_those_of_something_else_are_not() -> None:
    others = ["users-2026-02-03.csv", "events-2026-02-03.log", "events-2026-02-03.csv.tmp"]
    names = ["events-2026-02-03.csv", "events-2026-2-4.csv", *others]
    folders = DayFolders(CountingSource("events-%Y-%m-%d*.csv", names))
    assert folders.find_days(LONG) == [DAYS[1]]
    (sentence,) = folders.describe_misnamed()
    assert sentence.endswith(": events-2026-2-4.csv")


def test_a_day_whose_only_files_are_not_logs_has_none_yet() -> None:
    folders = DayFolders(CountingSource("*%Y%m%d*", ["a-20260203.tmp", "a-20260204.csv"]))
    assert folders.find_days(LONG) == [DAYS[2]]
    assert [item.name for item in folders.objects(DAYS[1])] == ["a-20260203.tmp"]
