"""Files that workers of Spark parse; for the graph on Spark see `integration/test_spark_parity`."""

import datetime as dt
import gzip
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from ds_assets.game import Fields, Game
from ds_assets.infra.engines.duckdb_reader import create_lines
from ds_assets.infra.engines.raw_files import RawFile, number_files
from ds_assets.infra.engines.spark_reader import FileReader, _NumberedFile
from ds_assets_tests.core.compression import COMPRESSIONS
from ds_assets_tests.core.test_zip_archives import make_zip

DAY = dt.date(2026, 3, 10)
GAME = Game(
    name="Test game",
    first_day=DAY,
    fields=Fields(user_id="u", event_time="t", event_type="e"),
)
LINES = b'{"u": "a", "t": "2026-03-10T12:00:00Z", "e": "x"}\nbroken\n'
CONTENTS = {
    "plain": LINES,
    **{name: compress(LINES) for name, compress in COMPRESSIONS.items()},
    "several.zip": make_zip({"a": LINES, "b/c": gzip.compress(LINES)}),
    "empty.zip": make_zip({}),
    "cut": gzip.compress(LINES)[:-4],
}


def _batch(folder: Path, *, is_local: bool) -> pa.RecordBatch:
    paths = [f"file:{folder / name}" for name in CONTENTS]
    contents = [None if is_local else content for content in CONTENTS.values()]
    return pa.record_batch({"path": paths, "content": pa.array(contents, pa.binary())})


def _expected(folder: Path) -> list[tuple[Any, ...]]:
    files = number_files([RawFile(DAY, name, folder / name) for name in CONTENTS])
    with duckdb.connect() as connection:
        damaged = create_lines(connection, files, GAME, "lines")
        lines = connection.sql("SELECT file, line, reason FROM lines").fetchall()
    named: list[tuple[Any, ...]] = [
        (n, files[n].name if reason else None, line, reason) for n, line, reason in lines
    ]
    return named + [(d.file, files[d.file].name, None, d.reason) for d in damaged]


@pytest.mark.slow
@pytest.mark.parametrize("is_local", [True, False])
def test_a_worker_reads_the_same_lines_as_the_process(is_local: bool, tmp_path: Path) -> None:
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    files = {str(tmp_path / name): _NumberedFile(n, DAY, name) for n, name in enumerate(CONTENTS)}
    rows = pa.Table.from_batches(FileReader(GAME, files)([_batch(tmp_path, is_local=is_local)]))
    columns = [rows[name].to_pylist() for name in ("file", "name", "line", "reason")]
    lines = zip(*columns, strict=True)
    assert sorted(lines, key=str) == sorted(_expected(tmp_path), key=str)
    assert {"several.zip/b/c", "empty.zip"} <= {*rows["name"].to_pylist()}
