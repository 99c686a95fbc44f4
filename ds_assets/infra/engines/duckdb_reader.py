"""Raw files to the events frame, by DuckDB's own readers.

Belongs here: how a line of JSON, CSV or Parquet becomes the columns of `core.events.events_table`,
and why a line is not valid. What is done with events afterwards is the same for every engine.
"""

import csv
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from ds_assets.core.decompression import (
    DamagedFileError,
    clean_blocks,
    text_blocks,
)
from ds_assets.core.events import NOTHING
from ds_assets.game import Game
from ds_assets.infra.engines.line_rules import WHITE, json_path, literal, text_fields, typed_lines

_CSV_FIELD = ',("(?:[^"]|"")*"|[^",]*)'
_BLANK = f"(content IS NULL OR trim(content, {WHITE}) = '')"


@dataclass(frozen=True)
class RawFile:
    """One raw file of an arrival day: its name in the lake and where it can be read."""

    day: dt.date
    name: str
    path: Path

    def blocks(self) -> Iterator[bytes]:
        """See `text_blocks`."""
        return text_blocks(self.path)


@dataclass(frozen=True)
class RawLines:
    """Lines of an arrival day that are in memory, as they would stand in a file."""

    day: dt.date
    name: str
    lines: Sequence[str]

    def blocks(self) -> Iterator[bytes]:
        """See `text_blocks`; content that says that it is compressed is none."""
        # a line that holds the end of a line would shift the numbers of those after it
        text = "".join(line.replace("\n", " ") + "\n" for line in self.lines)
        return clean_blocks([text.encode(errors="surrogatepass")])


RawText = RawFile | RawLines


@dataclass(frozen=True)
class Damage:
    """A file that could not be read to its end: its number, and what is wrong with the rest."""

    file: int
    reason: str


def create_lines(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[RawFile] | Sequence[RawLines],
    game: Game,
    table: str,
) -> list[Damage]:
    """Read raw files into a table; one of that name is replaced.

    The table has the columns of `events_table(game)`, where `file` counts `files` from 0, and
    `content`: the beginning of a line that is not valid.

    Args:
        connection: Where the table is made.
        files: Files of any number of days, of which only text may be in memory; none makes an
            empty table.
        game: Format and fields.
        table: Its name.

    Returns:
        The files that broke off, of which what could be read was read.
    """
    # The clock of times without an offset, and of those with one once they are no longer text.
    connection.execute(f"SET TimeZone = {literal(game.time_zone)}")
    nothing = typed_lines(_no_lines(game), game)
    connection.execute(parsed(connection, f"CREATE OR REPLACE TABLE {table} AS {nothing}"))

    def insert(lines: str) -> None:
        text = f"INSERT INTO {table} {typed_lines(lines, game)}"
        connection.execute(parsed(connection, text))

    return _READERS[game.logs.format](connection, files, game, insert)


@lru_cache(maxsize=32)  # to read a long statement takes longer than to run it on few lines
def parsed(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.Statement:
    """A statement that was read before, if it is run again."""
    (statement,) = connection.extract_statements(text)
    return statement


Insert = Callable[[str], None]
"""Adds lines to the table, given as SQL of dt, file, line, content, the `text_…` and malformed."""


# --- text formats ---------------------------------------------------------------------------------


_RAW_TEXT = "raw_text"
_LINES = pa.schema(
    {"dt": pa.date32(), "file": pa.int64(), "line": pa.int64(), "content": pa.string()}
)


@contextmanager
def _lines(
    connection: duckdb.DuckDBPyConnection, files: Mapping[int, RawText]
) -> Iterator[list[Damage]]:
    """Offer `_RAW_TEXT` within the context: dt, file, line and content, with its newline, once.

    The files are decompressed while the lines are read, so that neither a second copy of a day
    nor its whole text is ever held. What is yielded fills with the files that broke off.
    """
    damaged: list[Damage] = []
    batches = (batch for number in files for batch in _batches(number, files[number], damaged))
    connection.register(_RAW_TEXT, pa.RecordBatchReader.from_batches(_LINES, batches))
    try:
        yield damaged
    finally:
        connection.unregister(_RAW_TEXT)


def _batches(number: int, file: RawText, damaged: list[Damage]) -> Iterator[pa.RecordBatch]:
    line = 1
    try:
        for block in file.blocks():
            batch = _batch(block, file.day, number, line)
            line += len(batch)
            yield batch
    except DamagedFileError as error:
        damaged.append(Damage(number, str(error)))


def _batch(block: bytes, day: dt.date, number: int, line: int) -> pa.RecordBatch:
    """Lines of a block as Arrow's text, which is the block itself with the lines' beginnings."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    rows = len(ends)
    starts = np.concatenate([[0], ends + 1]).astype(np.int32)
    columns = [
        pa.repeat(pa.scalar(day, pa.date32()), rows),
        pa.repeat(pa.scalar(number, pa.int64()), rows),
        pa.array(np.arange(line, line + rows)),
        pa.StringArray.from_buffers(rows, pa.py_buffer(starts), pa.py_buffer(block)),
    ]
    return pa.record_batch(columns, schema=_LINES)


def _read_json(
    connection: duckdb.DuckDBPyConnection, files: Sequence[RawText], game: Game, insert: Insert
) -> list[Damage]:
    fields = text_fields(game)
    paths = ", ".join(literal(json_path(path)) for path in fields.values())
    named = ", ".join(f"fields[{n}] AS text_{name}" for n, name in enumerate(fields, start=1))
    with _lines(connection, dict(enumerate(files))) as damaged:
        insert(f"""
            SELECT dt, file, line, content, {named}, CASE WHEN fields IS NULL THEN
                CASE WHEN {_BLANK} THEN '{NOTHING}' ELSE 'not JSON' END END AS malformed
            FROM (SELECT *, try(json_extract_string(content, [{paths}])) AS fields
                  FROM {_RAW_TEXT})""")
    return damaged


def _read_csv(
    connection: duckdb.DuckDBPyConnection, files: Sequence[RawText], game: Game, insert: Insert
) -> list[Damage]:
    by_header: defaultdict[str, dict[int, RawText]] = defaultdict(dict)
    for number, file in enumerate(files):
        by_header[_first_line(file)][number] = file
    found = []
    for header, same in by_header.items():
        with _lines(connection, same) as damaged:
            insert(_csv_lines(header, game))
        found += damaged
    return found


def _first_line(file: RawText) -> str:
    with suppress(DamagedFileError):  # of which a row of quarantine is made when it is read
        for block in file.blocks():
            return block.split(b"\n", 1)[0].decode()
    return ""


def _csv_lines(header: str, game: Game) -> str:
    """SQL of the lines of files with one header. A record is a line: quotes cannot span lines."""
    columns = next(csv.reader([header]), [])
    position = {column: n for n, column in enumerate(columns, start=1)}
    named = ", ".join(
        f"{_unquoted(f'fields[{position[path]}]') if path in position else 'NULL'} AS text_{name}"
        for name, path in text_fields(game).items()
    )
    return f"""
        SELECT dt, file, line, content, {named}, CASE WHEN fields IS NULL THEN CASE
            WHEN {_BLANK} OR {_is_line(header)} THEN '{NOTHING}'
            WHEN NOT whole THEN 'not CSV: a quote is out of place'
            ELSE 'not CSV: ' || len(parts) || ' columns, the header has {len(columns)}'
            END END AS malformed
        FROM (SELECT *, CASE WHEN whole AND len(parts) = {len(columns)} AND NOT {_is_line(header)}
                        THEN parts END AS fields
              FROM (SELECT *, {_csv_parts("content")}
                    FROM (SELECT * REPLACE (rtrim(content, chr(10)) AS content)
                          FROM {_RAW_TEXT})))"""


def _is_line(header: str) -> str:
    return f"(ltrim(content, chr(65279)) = {literal(header)})"


def _csv_parts(line: str) -> str:
    """SQL of a line's fields as they are written, and whether they are the whole line."""
    # With a comma before the first field too, each match begins with one.
    fields = f"regexp_extract_all(',' || {line}, '{_CSV_FIELD}'"
    quoted = f"contains({line}, '\"')"
    return f"""
        CASE WHEN {quoted} THEN {fields}, 1) ELSE string_split({line}, ',') END AS parts,
        NOT {quoted} OR array_to_string({fields}), '') = ',' || {line} AS whole"""


def _unquoted(field: str) -> str:
    inner = f"""replace({field}[2:-2], '""', '"')"""
    return f"""nullif(CASE WHEN starts_with({field}, '"') THEN {inner} ELSE {field} END, '')"""


# --- Parquet --------------------------------------------------------------------------------------


def _read_parquet(
    connection: duckdb.DuckDBPyConnection, files: Sequence[RawFile], game: Game, insert: Insert
) -> list[Damage]:
    damaged = []
    for number, file in enumerate(files):
        try:  # each for itself: a file that cannot be read would take the others with it
            insert(_parquet_lines(connection, number, file, game))
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except duckdb.Error as error:
            damaged.append(Damage(number, f"the file is damaged: {str(error).splitlines()[0]}"))
    return damaged


def _parquet_lines(
    connection: duckdb.DuckDBPyConnection, number: int, file: RawFile, game: Game
) -> str:
    read = f"read_parquet({literal(str(file.path))}, hive_partitioning = false)"
    named = ", ".join(
        f"{_parquet_field(connection, read, path)} AS text_{name}"
        for name, path in text_fields(game).items()
    )
    return f"""
        SELECT DATE '{file.day}' AS dt, CAST({number} AS BIGINT) AS file,
            file_row_number + 1 AS line, CAST(to_json(source) AS VARCHAR) AS content, {named},
            CAST(NULL AS VARCHAR) AS malformed
        FROM {read} AS source"""


def _parquet_field(connection: duckdb.DuckDBPyConnection, read: str, path: str) -> str:
    field = ".".join(f'"{part}"' for part in ("source", *path.split(".")))
    try:
        connection.execute(f"SELECT {field} FROM {read} AS source LIMIT 0")
    except duckdb.BinderException:
        return "CAST(NULL AS VARCHAR)"
    return f"CAST({field} AS VARCHAR)"


def _no_lines(game: Game) -> str:
    named = ", ".join(f"CAST(NULL AS VARCHAR) AS text_{name}" for name in text_fields(game))
    return (
        "SELECT DATE '2000-01-01' AS dt, CAST(0 AS BIGINT) AS file, CAST(0 AS BIGINT) AS line, "
        f"'' AS content, {named}, '{NOTHING}' AS malformed WHERE false"
    )


_READERS: dict[str, Callable[..., list[Damage]]] = {
    "jsonl": _read_json,
    "csv": _read_csv,
    "parquet": _read_parquet,
}


# --- validity, the same for every format ----------------------------------------------------------
