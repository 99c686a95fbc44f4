"""Copies of the logs and the lake of a simulated game."""

import datetime as dt
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from benchmarks.larger_games import (
    COPIED,
    COPIES_PER_FILE,
    OF_EVENT,
    OF_USER,
    link_folder,
    multiply_event_ids,
    multiply_logs,
    multiply_users,
)
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import stored_days, table_file
from ds_assets.installation import load_installation
from ds_assets.simulate import SimulationOptions, simulate

DAY = dt.date(2026, 1, 1)


def ids_of_logs(folder: Path) -> list[tuple[str, str]]:
    """The ids of event and user of each line."""
    lines = [
        json.loads(line)
        for file in sorted(folder.iterdir())
        for line in gzip.decompress(file.read_bytes()).splitlines()
    ]
    return [(line["id"], line["user"]["id"]) for line in lines]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("game")
    simulate(SimulationOptions(users=20, days=1, start=DAY), folder)
    return folder / "source" / f"dt={DAY}"


@pytest.mark.parametrize("marks", [(OF_EVENT,), (OF_EVENT, OF_USER)])
def test_copies_of_logs_repeat_no_event_and_have_users_of_their_own_if_wanted(
    marks: Sequence[bytes], logs: Path, tmp_path: Path
) -> None:
    times = COPIES_PER_FILE + 2
    multiply_logs(logs, tmp_path / "copies", times, marks)
    assert len(list((tmp_path / "copies").iterdir())) == 2
    original, copies = ids_of_logs(logs), ids_of_logs(tmp_path / "copies")
    assert len({event for event, _ in copies}) == len(copies) == times * len(original)
    users = len({user for _, user in original})
    copied_users = users * times if OF_USER in marks else users
    assert len({user for _, user in copies}) == copied_users


def test_copies_of_event_ids_are_other_ids(tmp_path: Path) -> None:
    lake, copy = FolderLake(tmp_path / "lake"), FolderLake(tmp_path / "copy")
    keys = [3, 5, 2**63 - 1]
    table = pa.table({"event_key": keys, "probe": [7] * len(keys)})
    with lake.writing({DAY: table_file("event_ids", DAY)}) as staged:
        parquet.write_table(table, staged[DAY])
    multiply_event_ids(lake, copy, 4)
    stored = stored_days("event_ids", copy)[DAY].name
    rows = parquet.read_table(copy.local(stored), partitioning=None)
    copied = rows["event_key"].to_pylist()
    assert copied[: len(keys)] == keys
    assert len(set(copied)) == 4 * len(keys)
    assert min(copied) >= 0
    assert set(rows["probe"].to_pylist()) == {7}


def test_a_file_that_is_replaced_in_a_linked_folder_stays_as_it_was_in_the_other(
    tmp_path: Path,
) -> None:
    FolderLake(tmp_path / "home").write("dt=1/file", b"before")
    link_folder(tmp_path / "home", tmp_path / "copy")
    FolderLake(tmp_path / "copy").write("dt=1/file", b"after")
    assert FolderLake(tmp_path / "home").read("dt=1/file") == b"before"


def test_the_users_of_a_larger_lake_are_those_of_the_copied_logs(
    logs: Path, tmp_path: Path
) -> None:
    home, larger = tmp_path / "home", tmp_path / "larger"
    (home / "lake" / "models" / "clusters").mkdir(parents=True)
    users = sorted({user for _, user in ids_of_logs(logs)})
    lake = FolderLake(home / "lake")
    for table in COPIED:
        with lake.writing({DAY: table_file(table, DAY)}) as staged:
            parquet.write_table(pa.table({"user_id": users}), staged[DAY])
    game = logs.parents[1] / "game.yaml"
    multiply_users(load_installation({"home": home, "game": game}), larger, 3)
    multiply_logs(logs, tmp_path / "copies", 3, (OF_EVENT, OF_USER))
    expected = {user for _, user in ids_of_logs(tmp_path / "copies")}
    for table in COPIED:
        file = larger / "lake" / table_file(table, DAY)
        assert set(parquet.read_table(file, partitioning=None)["user_id"].to_pylist()) == expected
