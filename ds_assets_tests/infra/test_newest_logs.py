"""The newest logs are found with bounded work, wherever the game's folders are."""

import datetime as dt
from pathlib import Path

import pytest

from ds_assets.game import Fields, Game, Logs
from ds_assets.infra import newest_logs
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.newest_logs import find_newest_files, find_source_days, newest_day
from ds_assets.path_patterns import PathPattern

DAYS = [dt.date(2026, 1, 30), dt.date(2026, 1, 31), dt.date(2026, 2, 1), dt.date(2026, 2, 2)]


def game(path: str = "dt=%Y-%m-%d", last_day: dt.date | None = dt.date(2026, 6, 30)) -> Game:
    return Game(
        name="game",
        first_day=dt.date(2026, 1, 1),
        last_day=last_day,
        logs=Logs(path=path),
        fields=Fields(user_id="u", event_time="t", event_type="e"),
    )


def write(root: Path, path: str, day: dt.date, **files: int) -> None:
    folder = root / day.strftime(path)
    folder.mkdir(parents=True)
    for name, size in files.items():
        (folder / name).write_bytes(b"x" * size)


def day_folders(root: Path, path: str) -> DayFolders:
    return DayFolders(FolderLogSource(root, PathPattern(path)))


@pytest.mark.parametrize("path", ["dt=%Y-%m-%d", "logs/%Y/%m/%d", "%Y%m%d"])
def test_the_newest_days_are_found_months_before_the_end(tmp_path: Path, path: str) -> None:
    for day in DAYS:
        write(tmp_path, path, day)
    (tmp_path / "other").mkdir()
    assert find_source_days(day_folders(tmp_path, path), game(path)) == DAYS


def test_a_source_without_days_has_none(tmp_path: Path) -> None:
    for path in ("dt=%Y-%m-%d", "%Y/%m/%d"):
        assert find_source_days(day_folders(tmp_path / "nowhere", path), game(path)) == []


def test_the_newest_day_has_ended_and_is_a_day_of_the_game() -> None:
    assert newest_day(game(last_day=dt.date(2026, 2, 1))) == dt.date(2026, 2, 1)
    first = dt.date(2999, 1, 1)
    assert newest_day(game(last_day=None).model_copy(update={"first_day": first})) == first


def test_files_come_from_the_newest_days_of_the_source_and_from_the_lake_if_it_has_any(
    tmp_path: Path,
) -> None:
    source = FolderLogSource(tmp_path / "source", PathPattern("dt=%Y-%m-%d"))
    lake = FolderLake(tmp_path / "lake")
    for day in DAYS:
        write(tmp_path / "source", "dt=%Y-%m-%d", day, a=1, _marker=1)
    files = find_newest_files(lake, source, game(), tmp_path)
    assert [(file.day, file.name, file.path.read_bytes()) for file in files] == [
        (day, "a", b"x") for day in DAYS[-3:]
    ]
    lake.write(f"raw/dt={DAYS[0]}/b.jsonl", b"{}\n")
    assert [file.name for file in find_newest_files(lake, source, game(), tmp_path)] == ["b.jsonl"]


def test_large_files_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest_logs, "MAX_BYTES_PER_DAY", 10)
    write(tmp_path / "source", "dt=%Y-%m-%d", DAYS[0], big=11, small=3, middle=6)
    source = FolderLogSource(tmp_path / "source", PathPattern("dt=%Y-%m-%d"))
    files = find_newest_files(FolderLake(tmp_path / "lake"), source, game(), tmp_path)
    assert [file.name for file in files] == ["small", "middle"]
