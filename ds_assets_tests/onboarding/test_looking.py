"""The logs are found among other files, with what the folders of days have in common."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from ds_assets.errors import InputError
from ds_assets_tests.exports import write_csv
from ds_assets_tests.onboarding.games import look, play, put

CRASHES = [{"stack": "x", "build": number} for number in range(5)]


def put_days(folder: Path, logs: str, crashes: str) -> None:
    for day in range(1, 6):
        put(folder / logs.format(f"2026-02-0{day}"), play())
        put(folder / crashes.format(f"2026-02-0{day}"), CRASHES)


@pytest.mark.parametrize(
    ("logs", "crashes", "path"),
    [
        ("dt={}/events-1.jsonl", "dt={}/crash-1.jsonl", "dt=%Y-%m-%d/events-*.jsonl"),
        ("dt={}/events/1.jsonl", "dt={}/crash/1.jsonl", "dt=%Y-%m-%d/events"),
        ("events/{}.jsonl", "crash/{}.jsonl", "events/%Y-%m-%d.jsonl"),
        ("events_{}.jsonl", "crash_{}.jsonl", "events_%Y-%m-%d.jsonl"),
        ("dt={}/a/b/events.jsonl", "dt={}/a/c/events.jsonl", "dt=%Y-%m-%d/a/b"),
    ],
)
def test_other_files_of_a_day_are_told_apart_and_shown(
    logs: str, crashes: str, path: str, tmp_path: Path
) -> None:
    put_days(tmp_path, logs, crashes)
    result = look(tmp_path)
    assert result.source.layout
    assert result.source.layout.path == path
    (other,) = result.others
    assert other.startswith("5 files of another kind are not read, as their lines have no user and")
    assert other.endswith("with the fields build, stack")


def test_other_files_without_days_are_read_too_and_this_is_said(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", play())
    put(tmp_path / "b.jsonl", CRASHES)
    (other,) = look(tmp_path).others
    assert other.startswith("1 files of another kind are read, too, such as b.jsonl")


def test_files_of_another_format_are_of_another_kind(tmp_path: Path) -> None:
    put(tmp_path / "dt=2026-02-01" / "a.jsonl", play(99))
    (tmp_path / "dt=2026-02-02").mkdir()
    write_csv(play(level=1), tmp_path / "dt=2026-02-02" / "a.csv")
    result = look(tmp_path)
    formats = [(kind.file_format.name, kind.files) for kind in result.source.kinds]
    assert formats == [("jsonl", "*.jsonl"), ("csv", "*.csv")]
    assert result.others == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "has no log files$"),
        ({"_SUCCESS": ""}, "has no log files; it has 1 other files"),
        ({"a.jsonl": ""}, r"no file in .* has lines of JSON, CSV or Parquet .* is a\.jsonl"),
        ({"a.csv": "user_id,time\n"}, r"no file in .* has lines of JSON, CSV or Parquet"),
    ],
)
def test_a_source_without_lines_is_said_in_one_sentence(
    content: dict[str, str], message: str, tmp_path: Path
) -> None:
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        look(tmp_path)


def test_a_marker_is_in_nearly_all_folders_of_days(tmp_path: Path) -> None:
    put_days(tmp_path, "dt={}/a.jsonl", "dt={}/b.jsonl")
    assert look(tmp_path).source.marker is None
    for folder in tmp_path.iterdir():
        (folder / "_SUCCESS").touch()
    assert look(tmp_path).source.marker == "_SUCCESS"


def test_weekdays_that_never_have_logs_are_closed(tmp_path: Path) -> None:
    for number in range(63):
        day = dt.date(2026, 1, 5) + dt.timedelta(number)
        put(tmp_path / f"dt={day}" / "a.jsonl", play(1))
    assert look(tmp_path).source.closed_days == ()
    for folder in tmp_path.iterdir():
        if dt.date.fromisoformat(folder.name[3:]).weekday() == 6:
            shutil.rmtree(folder)
    assert look(tmp_path).source.closed_days == ("sunday",)
