"""Several log sources as the folders of one."""

import datetime as dt
from pathlib import Path

import pytest

from ds_assets.errors import InputError
from ds_assets.infra.log_source.base import SourceChangedError
from ds_assets.infra.log_source.combined import CombinedLogSource
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.path_patterns import PathPattern

DAY = dt.date(2026, 3, 7)
SESSIONS, PURCHASES = "sessions/2026/03/07/a.csv", "purchases/2026/03/07/b.csv"


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def combined(root: Path, pattern: str = "*/%Y/%m/%d") -> CombinedLogSource:
    path_pattern = PathPattern(pattern)
    folders = {"sessions": root / "one", "purchases": root / "two"}
    sources = {name: FolderLogSource(folder, path_pattern) for name, folder in folders.items()}
    return CombinedLogSource(sources, path_pattern)


def test_a_day_has_the_files_of_all_sources_in_folders_of_their_names(tmp_path: Path) -> None:
    write(tmp_path, "one/2026/03/07/a.csv", "sessions")
    write(tmp_path, "one/2026/03/08/a.csv", "of another day")
    write(tmp_path, "two/2026/03/07/b.csv", "purchases")
    source = combined(tmp_path)
    texts = {it.name: b"".join(source.blocks(it)) for it in source.objects(DAY)}
    assert texts == {SESSIONS: b"sessions", PURCHASES: b"purchases"}
    assert DayFolders(source).find_days([DAY, DAY - dt.timedelta(1)]) == [DAY]


@pytest.mark.parametrize("pattern", ["*/events-%Y-%m-%d.csv", "*/%Y-%m-%d/*.csv"])
def test_days_may_be_in_names_of_files(tmp_path: Path, pattern: str) -> None:
    inside = PathPattern(pattern).fill(DAY).partition("/")[2]
    write(tmp_path, f"two/{inside}", "x")
    assert [it.name for it in combined(tmp_path, pattern).objects(DAY)] == [f"purchases/{inside}"]


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    file = write(tmp_path, "one/2026/03/07/a.csv", "sessions")
    source = combined(tmp_path)
    (item,) = source.objects(DAY)
    file.unlink()
    with pytest.raises(SourceChangedError, match="changed while it was copied"):
        list(source.blocks(item))


def test_a_day_is_shown_with_the_places_of_all_sources(tmp_path: Path) -> None:
    places = f"(sessions={tmp_path}/one, purchases={tmp_path}/two)"
    assert combined(tmp_path).folder(DAY) == f"{places}/*/2026/03/07"


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("%Y/%m/%d", "sessions"), ("dt=%Y-%m-%d", "sessions"), ("s*/%Y/%m/%d", "purchases")],
)
def test_paths_that_leave_out_a_source_are_refused(tmp_path: Path, pattern: str, name: str) -> None:
    with pytest.raises(InputError, match=rf"no file of the source {name} in .* begin logs.path"):
        combined(tmp_path, pattern)


def test_folders_that_are_no_source_are_empty(tmp_path: Path) -> None:
    source = combined(tmp_path)
    assert source.entries("") == (frozenset({"sessions", "purchases"}), {})
    assert source.entries("others") == (frozenset(), {})
    assert source.below("others/2026") == []
