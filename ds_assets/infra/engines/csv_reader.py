"""Reading CSV with DuckDB. A record is a line: quoted values cannot contain newlines."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress

import duckdb

from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.events import NOTHING
from ds_assets.core.raw_text import clean_blocks
from ds_assets.game import Game
from ds_assets.infra.engines.field_values import broken_json, text_columns
from ds_assets.infra.engines.raw_files import Damage, Insert, RawText
from ds_assets.infra.engines.sql import literal
from ds_assets.infra.engines.text_lines import IS_BLANK, RAW_TEXT, lines_of

_NO_TEXT = "CAST(NULL AS VARCHAR)"
_CSV_FIELD = ',("(?:[^"]|"")*"|[^",]*)'


def read_csv(
    connection: duckdb.DuckDBPyConnection, files: Mapping[int, RawText], game: Game, insert: Insert
) -> list[Damage]:
    """Insert the lines of files, grouped by header. Returns the damaged files."""
    by_header: defaultdict[str, dict[int, RawText]] = defaultdict(dict)
    for number, file in files.items():
        by_header[_first_line(file)][number] = file
    damages = []
    for header, same_header in by_header.items():
        with lines_of(connection, same_header) as damaged:
            insert(_csv_lines(header, game))
        damages += damaged
    return damages


def _first_line(file: RawText) -> str:
    with suppress(DamagedFileError):  # reported when the file is read
        for block in clean_blocks(file.content()):
            return block.split(b"\n", 1)[0].decode()
    return ""


def _csv_lines(header: str, game: Game) -> str:
    """Return the SQL of the lines of files with the same header."""
    columns = next(csv.reader([header]), [])
    position = {column: n for n, column in enumerate(columns, start=1)}

    def plain(names: tuple[str, ...]) -> str:
        column = ".".join(names)  # a dot in a path is one in the name: columns are not nested
        return _unquoted(f"fields[{position[column]}]") if column in position else _NO_TEXT

    return f"""
        SELECT dt, file, line, content, {text_columns(game, plain)},
            CASE WHEN fields IS NULL THEN CASE
            WHEN {IS_BLANK} OR {_is_line(header)} THEN '{NOTHING}'
            WHEN NOT whole THEN 'not CSV: a quote is out of place'
            ELSE 'not CSV: ' || len(parts) || ' columns, the header has {len(columns)}'
            END {broken_json(game, plain)} END AS malformed
        FROM (SELECT *, CASE WHEN whole AND len(parts) = {len(columns)} AND NOT {_is_line(header)}
                        THEN parts END AS fields
              FROM (SELECT *, {_csv_parts("content")}
                    FROM (SELECT * REPLACE (rtrim(content, chr(10)) AS content)
                          FROM {RAW_TEXT})))"""


def _is_line(header: str) -> str:
    return f"(ltrim(content, chr(65279)) = {literal(header)})"


def _csv_parts(line: str) -> str:
    """Return the SQL of a line's fields as written, and of whether they cover the whole line."""
    # A comma is prepended so that every match starts with one.
    fields = f"regexp_extract_all(',' || {line}, '{_CSV_FIELD}'"
    quoted = f"contains({line}, '\"')"
    return f"""
        CASE WHEN {quoted} THEN {fields}, 1) ELSE string_split({line}, ',') END AS parts,
        NOT {quoted} OR array_to_string({fields}), '') = ',' || {line} AS whole"""


def _unquoted(field: str) -> str:
    inner = f"""replace({field}[2:-2], '""', '"')"""
    return f"""nullif(CASE WHEN starts_with({field}, '"') THEN {inner} ELSE {field} END, '')"""
