"""Reading CSV: records are parsed here, and their values are typed by DuckDB."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from ds_assets.core.csv_records import Record, read_records
from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.events import NOTHING
from ds_assets.game import Game
from ds_assets.infra.engines.field_values import plain_fields, text_lines
from ds_assets.infra.engines.raw_files import Damage, Insert, RawText
from ds_assets.infra.engines.text_lines import LINE, RAW_TEXT, streaming

_RECORDS_PER_BATCH = 2_000


def read_csv(
    connection: duckdb.DuckDBPyConnection, files: Mapping[int, RawText], game: Game, insert: Insert
) -> list[Damage]:
    """Insert the records of files. Returns the damaged files."""
    fields = plain_fields(game)
    # A dot in a path is one in the name of the column, as columns are not nested.
    columns = [".".join(names) for names in fields]
    values = {f"field_{n}": pa.string() for n in range(len(fields))}
    schema = pa.schema({**LINE, **values, "fault": pa.string()})

    def plain(names: tuple[str, ...]) -> str:
        return f"nullif(field_{fields.index(names)}, '')"

    def read(number: int, file: RawText) -> Iterator[pa.RecordBatch]:
        table = _CsvTable(columns, game.logs.csv.header)
        for rows in table.read(read_records(file.content(), game.logs.csv)):
            day, file_number = pa.scalar(file.day, pa.date32()), pa.scalar(number, pa.int64())
            size = len(rows[0])
            marks = (pa.repeat(day, size), pa.repeat(file_number, size))
            yield pa.record_batch([*marks, *rows], schema=schema)

    with streaming(connection, files, read, schema) as damaged:
        malformed = ["WHEN fault IS NOT NULL THEN fault"]
        insert(text_lines(f"SELECT * FROM {RAW_TEXT}", game, plain, malformed))
    return damaged


class _CsvTable:
    """The records of a file by column.

    Values are gathered in one list: a list of each record would keep the garbage collector busy.
    """

    def __init__(self, names: Sequence[str], header: Sequence[str] | None) -> None:
        self._names = names
        self._header = list(header or ())
        self._start_batch()

    def _start_batch(self) -> None:
        self._lines: list[int] = []
        self._texts: list[str] = []
        self._values: list[str | None] = []
        self._faults: list[str | None] = []

    def read(self, records: Iterable[Record]) -> Iterator[list[Sequence[Any]]]:
        """Yield columns of records: lines, texts, the value of each name, and faults.

        Raises:
            DamagedFileError: after the records before the damage, or the header cannot be used.
        """
        try:
            for record in records:
                self._add(*record)
                if len(self._lines) == _RECORDS_PER_BATCH:
                    yield self._take()
        except DamagedFileError:
            yield self._take()
            raise
        yield self._take()

    def _add(self, line: int, text: str, values: list[str] | None) -> None:
        if not self._header and not text.isspace():
            self._header = _checked_header(values, self._names)
            self._values += [None] * len(self._header) * len(self._lines)  # of blank lines before
        fault = _find_fault(text, values, self._header)
        self._lines.append(line)
        self._texts.append(text)
        self._faults.append(fault)
        if fault is None:
            self._values += values or ()
        else:
            self._values += [None] * len(self._header)

    def _take(self) -> list[Sequence[Any]]:
        width = len(self._header)
        nothing = [None] * len(self._lines)
        positions = {name: n for n, name in enumerate(self._header)}
        values = (
            self._values[positions[name] :: width] if name in positions else nothing
            for name in self._names
        )
        columns: list[Sequence[Any]] = [self._lines, self._texts, *values, self._faults]
        self._start_batch()
        return columns


def _checked_header(values: list[str] | None, names: Sequence[str]) -> list[str]:
    if values is None:
        raise DamagedFileError("the file is damaged: its header is not CSV")
    if twice := [name for name in names if values.count(name) > 1]:
        raise DamagedFileError(f"the header names the column {twice[0]} twice")
    return values


def _find_fault(text: str, values: list[str] | None, header: list[str]) -> str | None:
    """Return what is wrong with a record; nothing if it has the columns of the header."""
    if values is None:
        return "not CSV: a quote is out of place"
    if len(values) != len(header) or not values:
        if text.isspace():
            return NOTHING
        return f"not CSV: {len(values)} columns, the header has {len(header)}"
    # A file that was appended to another one may bring its byte order mark.
    is_header = values[1:] == header[1:] and values[0].removeprefix("\ufeff") == header[0]
    return NOTHING if is_header else None
