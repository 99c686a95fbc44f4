"""Raw files to the events frame, with Spark, whose workers parse files with DuckDB.

Scope: distributing files to the workers and collecting their lines. Formats and rules are the same
as in the process; see `duckdb_reader`.
"""

import datetime as dt
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ds_assets.core import events
from ds_assets.core.engine import DataFrame
from ds_assets.core.events import events_table
from ds_assets.core.models.inference.onnx_model import BATCH_ROWS
from ds_assets.core.schema import Column, Table
from ds_assets.core.tables import EVENT_IDS
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.engines.duckdb_reader import create_lines
from ds_assets.infra.engines.line_rules import hash_probe
from ds_assets.infra.engines.raw_files import RawFile, number_files
from ds_assets.infra.engines.spark_tables import SparkPlace, ddl, in_batches, path_of
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.event_ids import find_compared_days
from ds_assets.infra.lake.raw_logs import RawObject

_WORKER_MEMORY = "512MB"
"""Beyond it, DuckDB in a worker uses the disk."""


class SparkEventReader:
    """Reads raw files of a game, whose lines are cached by the workers; see `EventReader`.

    Attributes:
        frame: The events frame of the files read last.
        bad_lines: Their invalid lines.
        event_ids: The ids of their events.
    """

    frame: DataFrame
    bad_lines: DataFrame
    event_ids: DataFrame

    def __init__(self, engine: LakeEngine, place: SparkPlace, game: Game) -> None:
        self._engine = engine
        self._place = place
        self._game = game
        self._kept: list[DataFrame] = []
        lines = engine.session.createDataFrame([], ddl(_lines_table(game)))
        self._offer(lines, engine.session.createDataFrame([], f"dt date, {ddl(EVENT_IDS)}"))

    def read(self, objects: Sequence[RawObject], lake: Lake) -> None:
        """See `EventReader`."""
        self.close()
        numbers = {
            path_of(self._place.address(raw_object.stored.name)): _NumberedFile(
                number, raw_object.day, raw_object.name
            )
            for number, raw_object in enumerate(objects)
        }
        names = [raw_object.stored.name for raw_object in objects]
        files = self._paths(names) if self._place.is_local else self._contents(names, lake)
        read = FileReader(self._game, numbers)
        lines = self._keep(in_batches(files, read, _lines_table(self._game)))
        compared = find_compared_days({file.day for file in objects}, self._game, lake)
        with self._engine.read(compared, EVENT_IDS, lake) as stored_ids:
            self._offer(lines, stored_ids)

    def close(self) -> None:
        """Release the cached lines."""
        for frame in self._kept:
            frame.unpersist()
        self._kept.clear()

    def _paths(self, names: Sequence[str]) -> DataFrame:
        rows = [(self._place.address(name), None) for name in names]
        files = self._engine.session.createDataFrame(rows, "path string, content binary")
        return files.repartition(len(names))  # one task per file

    def _contents(self, names: Sequence[str], lake: Lake) -> DataFrame:
        patterns = [self._place.pattern(name) for name in names]
        files = self._engine.session.read.format("binaryFile").load(patterns)
        file_count = len(files.inputFiles())
        if file_count != len(names):
            raise InputError(
                f"of {len(names)} raw files in {lake} Spark finds {file_count} in "
                f"{self._place.root}; DS_ASSETS_SPARK_LAKE must be the same place"
            )
        return files.select("path", "content")

    def _offer(self, lines: DataFrame, stored_ids: DataFrame) -> None:
        f = self._engine.functions
        whole = lines.where(f.col("line").isNotNull())
        comparable = stored_ids.where(f.col("probe") == hash_probe())
        earlier = comparable.join(whole.select("event_key"), ["event_key"], "left_semi")
        repeated = events.repeated_keys(whole, earlier, self._engine)
        days = self._game.duplicate_days
        copies = self._keep(events.duplicates(whole, repeated, earlier, days, self._engine))
        marked = copies.withColumn("is_copy", f.lit(True))
        reason = f.when(f.col("is_copy"), f.lit(events.DUPLICATE)).otherwise(f.col("reason"))
        checked = whole.join(marked, ["dt", "file", "line"], "left").withColumn("reason", reason)
        self.frame = checked.select(*events_table(self._game).names)
        self.event_ids = events.event_ids(self.frame, hash_probe(), self._engine)
        self.bad_lines = lines.where(~f.col("reason").isin(*events.NO_FAULTS)).select(
            "dt", f.col("name").alias("file"), "line", "reason", "content"
        )

    def _keep(self, frame: DataFrame) -> DataFrame:
        self._kept.append(frame.persist())
        return self._kept[-1]


@dataclass(frozen=True)
class _NumberedFile:
    number: int
    day: dt.date
    name: str


@dataclass(frozen=True)
class FileReader:
    """Parses files into lines, on a worker.

    Attributes:
        game: Format and fields.
        files: The files by path; see `path_of`.
    """

    game: Game
    files: Mapping[str, _NumberedFile]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the lines of files, given as rows with a path and, for remote files, the content.

        Each damaged file adds a row without a line number.
        """
        with tempfile.TemporaryDirectory(prefix="ds_assets_") as folder:
            limits: dict[str, Any] = {
                "memory_limit": _WORKER_MEMORY,
                "threads": 1,
                "temp_directory": folder,
            }
            with duckdb.connect(config=limits) as connection:
                for batch in batches:
                    for address, content in zip(batch["path"], batch["content"], strict=True):
                        path = path_of(address.as_py())
                        here = _here(Path(path), content, Path(folder))
                        yield from self._lines(self.files[path], here, connection)

    def _lines(
        self, file: _NumberedFile, path: Path, connection: duckdb.DuckDBPyConnection
    ) -> Iterator[pa.RecordBatch]:
        schema = _lines_table(self.game).arrow_schema
        raw = number_files([RawFile(file.day, file.name, path)], start=file.number)
        damaged = create_lines(connection, raw, self.game, "lines")
        names = {number: part.name for number, part in raw.items()}
        name = "map(CAST($numbers AS BIGINT[]), CAST($names AS VARCHAR[]))[file]"
        lines = connection.sql(
            f"SELECT *, CASE WHEN reason IS NOT NULL THEN {name} END AS name FROM lines",
            params={"numbers": list(names), "names": list(names.values())},
        )
        for batch in lines.to_arrow_reader(BATCH_ROWS):
            yield batch.select(schema.names).cast(schema)
        for part in damaged:
            row = {
                "dt": file.day,
                "file": part.file,
                "reason": part.reason,
                "name": names[part.file],
            }
            yield pa.RecordBatch.from_pylist([row], schema=schema)


def _here(path: Path, content: pa.BinaryScalar, folder: Path) -> Path:
    """Return a local path of a file: its own, or that of a copy of its content."""
    if not content.is_valid:
        return path
    copy = folder / "raw"
    copy.write_bytes(content.as_buffer())
    return copy


def _lines_table(game: Game) -> Table:
    """Declare the events frame with the further columns that quarantine needs."""
    columns = [
        Column(column.name, column.type, column.description, nullable=True)
        for column in events_table(game).columns
    ]
    content = Column("content", "text", "The beginning of an invalid line.", nullable=True)
    name = Column("name", "text", "Name of its file.", nullable=True)
    return Table("lines", (*columns, content, name), ("dt", "file", "line"))
