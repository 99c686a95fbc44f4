"""The files of a day come from the lake, or from the source without a change of the lake."""

import datetime as dt
from pathlib import Path

import pytest

from ds_assets.game import Fields, Game
from ds_assets.infra import day_files
from ds_assets.infra.day_files import DayFiles, open_day_files
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.log_source.folder import FolderLogSource

DAY = dt.date(2026, 1, 1)
GAME = Game(name="game", first_day=DAY, fields=Fields(user_id="u", event_time="t", event_type="e"))


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def opened(home: Path) -> DayFiles:
    lake = FolderLake(home / "lake")
    source = FolderLogSource(home / "source", GAME.log_path)
    (home / "copies").mkdir(exist_ok=True)
    return open_day_files(DAY, lake, source, GAME, home / "copies")


def test_without_logs_in_the_lake_those_of_the_source_are_copied(tmp_path: Path) -> None:
    write(tmp_path / "source" / f"dt={DAY}", a="12", _SUCCESS="")
    files = opened(tmp_path)
    assert (files.place, files.files, files.size, files.ignored) == ("source", 1, 2, 1)
    assert [(file.name, file.path.read_text()) for file in files.read] == [("a", "12")]
    assert not (tmp_path / "lake").exists()


def test_logs_in_the_lake_come_first(tmp_path: Path) -> None:
    write(tmp_path / "source" / f"dt={DAY}", a="source")
    write(tmp_path / "lake" / "raw" / f"dt={DAY}", a="lake")
    files = opened(tmp_path)
    assert (files.place, [file.path.read_text() for file in files.read]) == ("lake", ["lake"])


@pytest.mark.parametrize("place", ["source", "lake/raw"])
def test_of_a_large_day_the_smallest_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(day_files, "MAX_BYTES", 5)
    write(tmp_path / place / f"dt={DAY}", a="123456789", b="12", c="123")
    files = opened(tmp_path)
    assert (files.files, files.size, [it.name for it in files.read]) == (3, 14, ["b", "c"])
