"""The log source: a day's files as the game left them."""

import datetime as dt
import os
from pathlib import Path

import pytest

from ds_assets.resources.log_source import FolderLogSource

DAY = dt.date(2026, 3, 7)


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [
        ("dt=%Y-%m-%d", "dt=2026-03-07"),
        ("%Y/%m/%d", "2026/03/07"),
        ("logs/%Y%m%d", "logs/20260307"),
    ],
)
def test_a_days_files_are_found_where_the_game_file_says(
    tmp_path: Path, pattern: str, folder: str
) -> None:
    source = FolderLogSource(tmp_path, pattern)
    (tmp_path / folder / "13h").mkdir(parents=True)
    (tmp_path / folder / "b.jsonl").write_bytes(b"bb")
    (tmp_path / folder / "13h" / "a.jsonl").write_bytes(b"a")
    found = source.objects(DAY)
    assert [(item.name, item.size) for item in found] == [("13h/a.jsonl", 1), ("b.jsonl", 2)]
    assert source.folder(DAY) == str(tmp_path / folder)
    with source.open(found[1]) as content:
        assert content.read() == b"bb"


def test_a_day_without_a_folder_has_no_files(tmp_path: Path) -> None:
    assert FolderLogSource(tmp_path, "dt=%Y-%m-%d").objects(DAY) == []


def test_files_that_say_that_they_are_no_logs_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "dt=2026-03-07"
    folder.mkdir()
    for name in ("_SUCCESS", ".hidden", "events.jsonl"):
        (folder / name).touch()
    found = FolderLogSource(tmp_path, "dt=%Y-%m-%d").objects(DAY)
    assert [item.name for item in found] == ["events.jsonl"]


def test_the_tag_changes_with_the_content_and_with_nothing_else(tmp_path: Path) -> None:
    source = FolderLogSource(tmp_path, "dt=%Y-%m-%d")
    file = tmp_path / "dt=2026-03-07" / "events.jsonl"
    file.parent.mkdir()
    file.write_bytes(b"one")
    os.utime(file, (1, 1))
    (before,) = source.objects(DAY)
    assert source.objects(DAY) == [before]
    file.write_bytes(b"two")
    (after,) = source.objects(DAY)
    assert (after.name, after.size) == (before.name, before.size)
    assert after.tag != before.tag
