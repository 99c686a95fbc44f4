"""Splitting a log file into files of days, by the time of each line on the game's clock.

Scope: one file, read with the parsers that also read the files of a day, into a folder. Where the
files of days belong is in `infra.log_import`.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias, cast

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from isal import isal_zlib
from pyarrow import parquet

from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.events import LEFT_OUT, NOT_TEXT, NOTHING
from ds_assets.core.raw_text import UNREADABLE
from ds_assets.game import Game
from ds_assets.infra.engines.file_kinds import Insert, read_files
from ds_assets.infra.engines.line_rules import left_out_tests, whens
from ds_assets.infra.engines.line_times import local_time, with_instant, wrong_time
from ds_assets.infra.engines.raw_files import RawFile, RawText

BATCH_ROWS = 1 << 14
MAX_GATHERED_BYTES = 64 << 20
"""Bytes of lines that are in memory before they are appended to files of days."""
_GZIP = 31
"""Window bits of zlib with the header of gzip."""
_BLOCK = 1 << 20
_NO_DAY = np.iinfo(np.int32).min
Day: TypeAlias = dt.date | None
"""The date of lines; None for those whose time cannot be read."""


@dataclass(frozen=True)
class Undated:
    """Lines whose time cannot be read for one reason, with the first of them as an example."""

    lines: int
    line: int
    content: str


@dataclass
class Split:
    """The result of splitting a file.

    Attributes:
        lines: Number of lines of each day.
        undated: Lines without a day by reason; those that are no events of the game, too.
        files: The file of each day.
    """

    lines: dict[Day, int] = field(default_factory=lambda: defaultdict(int))
    undated: dict[str, Undated] = field(default_factory=dict)
    files: dict[Day, Path] = field(default_factory=dict)


def split_file(
    connection: duckdb.DuckDBPyConnection, file: RawText, game: Game, folder: Path
) -> Split:
    """Write the lines of a file into files of days, in order.

    Lines of text keep their bytes, as UTF-8 and without carriage returns at their ends, and a CSV
    file of a day has the header. Text is compressed with gzip; Parquet stays Parquet.

    Args:
        connection: Where the file is read; of one thread, which keeps the order.
        file: The file. An event that is dated after its day is considered undated.
        game: Format, and where the time of a line is; of the kind of the file.
        folder: Empty folder for the files of days.

    Raises:
        DamagedFileError: the file cannot be read to its end.
    """
    return (_split_rows if game.logs.format == "parquet" else _split_text)(
        connection, file, game, folder
    )


def dated_lines(lines: str, game: Game) -> str:
    """Return the SQL of the columns line, content, day, and the reason where there is no day.

    A line that is broken otherwise has a day, too, as the readers of the day say what is wrong.

    Args:
        lines: Query of the lines of a reader; see `raw_files.Insert`.
        game: Where the time of a line is, and which lines are left out.
    """
    faults = [
        *((test, LEFT_OUT) for test in left_out_tests(game)),
        (f"starts_with(content, '{UNREADABLE}')", NOT_TEXT),
    ]
    return f"""
        SELECT line, content, CASE WHEN reason IS NULL THEN CAST(event_time AS DATE) END AS day,
               reason
        FROM (SELECT *, CASE WHEN fault IS NOT NULL THEN
                            CASE {whens(faults)} ELSE coalesce(malformed, fault) END END AS reason
              FROM (SELECT *, CASE {whens(wrong_time(game))} END AS fault
                    FROM (SELECT *, {local_time(game)} AS event_time
                          FROM ({with_instant(lines, game)}))))"""


def _split_text(
    connection: duckdb.DuckDBPyConnection, file: RawText, game: Game, folder: Path
) -> Split:
    split, header = Split(), b""
    days = _DayRows(folder, _append_texts)

    def insert(lines: str, _game: Game) -> None:
        nonlocal header
        for batch in _batches(connection, dated_lines(lines, game)):
            header = header or _first_text(batch.filter(_is_nothing(batch)))
            dated = batch.filter(pc.invert(_is_nothing(batch)))
            _count(dated, split)
            days.add(dated["day"], dated["content"].cast(pa.large_string()))

    _read(connection, file, game, insert)
    for day, path in days.write().items():
        split.files[day] = path.with_suffix(".gz")
        _compress(header, path, split.files[day])
    return split


def _split_rows(
    connection: duckdb.DuckDBPyConnection, file: RawText, game: Game, folder: Path
) -> Split:
    split = Split()
    parts: list[pa.Array] = []

    def insert(lines: str, _game: Game) -> None:
        rows = "SELECT * REPLACE (CASE WHEN day IS NULL THEN content END AS content)"
        for batch in _batches(connection, f"{rows} FROM ({dated_lines(lines, game)})"):
            _count(batch, split)
            parts.append(batch["day"])

    _read(connection, file, game, insert)
    days = _DayRows(folder, _append_rows)
    dates = pa.chunked_array(parts, pa.date32())
    start = 0
    with parquet.ParquetFile(cast("RawFile", file).path) as source:  # archives are refused
        has_int96 = _has_int96(source)
        for batch in source.iter_batches(BATCH_ROWS):
            days.add(dates.slice(start, len(batch)).combine_chunks(), batch)
            start += len(batch)
    for day, path in days.write().items():
        split.files[day] = path.with_suffix(".parquet")
        _write_parquet(path, split.files[day], has_int96=has_int96)
    return split


def _read(connection: duckdb.DuckDBPyConnection, file: RawText, game: Game, insert: Insert) -> None:
    for damage in read_files(connection, {0: file}, game, insert):
        raise DamagedFileError(damage.reason)


def _batches(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.RecordBatch]:
    return iter(connection.sql(query).to_arrow_reader(BATCH_ROWS))


def _is_nothing(batch: pa.RecordBatch) -> pa.Array:
    """Whether a line is blank, or a header."""
    return pc.fill_null(pc.equal(batch["reason"], NOTHING), fill_value=False)


def _first_text(lines: pa.RecordBatch) -> bytes:
    """The first line that is not blank: the header, where lines that are nothing have one."""
    texts = (text for text in lines["content"].to_pylist() if text and not text.isspace())
    return str(next(texts, "")).encode()


def _count(lines: pa.RecordBatch, split: Split) -> None:
    for part in pc.value_counts(lines["day"]).to_pylist():
        split.lines[part["values"]] += part["counts"]
    undated = lines.filter(pc.is_null(lines["day"]))
    for part in pc.value_counts(undated["reason"]).to_pylist():
        reason = part["values"]
        row = undated.slice(pc.index(undated["reason"], reason).as_py(), 1).to_pylist()[0]
        first = split.undated.get(reason) or Undated(0, row["line"], row["content"] or "")
        split.undated[reason] = Undated(first.lines + part["counts"], first.line, first.content)


class _DayRows:
    """Rows of days, gathered in memory up to a limit, and then appended to a file of each day."""

    def __init__(self, folder: Path, append: Callable[[Path, list[Any]], None]) -> None:
        self._folder = folder
        self._append = append
        self._gathered: dict[Day, list[Any]] = defaultdict(list)
        self._size = 0
        self._files: dict[Day, Path] = {}

    def add(self, days: pa.Array, rows: Any) -> None:
        """Add rows, given as an array or a batch, with the day of each."""
        numbers = pc.fill_null(days.cast(pa.int32()), _NO_DAY).to_numpy(zero_copy_only=False)
        order = np.argsort(numbers, kind="stable")
        rows = rows.take(pa.array(order))
        starts = np.flatnonzero(np.diff(numbers[order], prepend=numbers[order][:1] - 1))
        for start, end in pairwise([*starts, len(order)]):
            day = days[int(order[start])].as_py()
            self._gathered[day].append(rows.slice(start, end - start))
        self._size += rows.nbytes
        if self._size > MAX_GATHERED_BYTES:
            self.write()

    def write(self) -> Mapping[Day, Path]:
        """Append what is gathered. Returns the file of each day."""
        for day, parts in self._gathered.items():
            self._files[day] = self._folder / f"{day or 'undated'}"
            self._append(self._files[day], parts)
        self._gathered.clear()
        self._size = 0
        return self._files


def _append_texts(path: Path, parts: list[pa.LargeStringArray]) -> None:
    with path.open("ab") as file:
        for texts in parts:
            _, ends, data = texts.buffers()
            bounds = np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]
            file.write(memoryview(data)[bounds[0] : bounds[-1]])


def _compress(header: bytes, source: Path, target: Path) -> None:
    """Compress lines after a header. Equal ones give equal bytes, as the time is left out."""
    gzip = isal_zlib.compressobj(2, wbits=_GZIP)
    with source.open("rb") as lines, target.open("wb") as file:
        file.write(gzip.compress(header))
        for block in iter(lambda: lines.read(_BLOCK), b""):
            file.write(gzip.compress(block))
        file.write(gzip.flush())
    source.unlink()


def _append_rows(path: Path, parts: list[pa.RecordBatch]) -> None:
    """Append a stream of Arrow to a file: one of Parquet cannot be appended to."""
    with path.open("ab") as file, pa.ipc.new_stream(file, parts[0].schema) as stream:
        for rows in parts:
            stream.write_batch(rows)


def _write_parquet(source: Path, target: Path, *, has_int96: bool) -> None:
    with pa.OSFile(str(source)) as streams:
        schema = pa.ipc.open_stream(streams).schema
        streams.seek(0)
        with parquet.ParquetWriter(
            target, schema, compression="zstd", use_deprecated_int96_timestamps=has_int96
        ) as file:
            while streams.tell() < streams.size():
                file.write_table(pa.ipc.open_stream(streams).read_all())
    source.unlink()


def _has_int96(file: parquet.ParquetFile) -> bool:
    """Whether times are of type INT96, which are instants, unlike others without a zone."""
    columns = (file.schema.column(number) for number in range(len(file.schema)))
    return any(column.physical_type == "INT96" for column in columns)
