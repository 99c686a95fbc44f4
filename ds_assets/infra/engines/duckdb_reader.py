"""Raw files to the lines of the events frame, with DuckDB.

Scope: the table of lines. How a format is parsed is in the reader of that format, and which lines
are valid in `line_rules`. Everything after this is the same for every engine.
"""

from collections.abc import Mapping
from functools import lru_cache

import duckdb

from ds_assets.core.events import NOTHING
from ds_assets.game import Game
from ds_assets.infra.engines.file_kinds import read_files
from ds_assets.infra.engines.line_rules import text_fields, typed_lines
from ds_assets.infra.engines.raw_files import Damage, RawText


def create_lines(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[int, RawText],
    game: Game,
    table: str,
) -> list[Damage]:
    """Read raw files into a table, replacing it if it exists.

    The table has the columns of `events_table(game)`, where `file` is the number of the file, and
    `content`, the beginning of an invalid line.

    Args:
        connection: Where the table is created.
        files: Files of any number of days by their number, see `number_files`; only those of text
            formats may be in memory. Without any, the table is empty.
        game: Format and fields.
        table: Name of the table.

    Returns:
        The damaged files, whose lines up to the damage were read.
    """
    empty = typed_lines(_no_lines(game), game)
    connection.execute(parsed(connection, f"CREATE OR REPLACE TABLE {table} AS {empty}"))

    def insert(lines: str, game: Game) -> None:
        text = f"INSERT INTO {table} {typed_lines(lines, game)}"
        connection.execute(parsed(connection, text))

    return read_files(connection, files, game, insert)


@lru_cache(maxsize=32)  # parsing a long statement takes longer than running it on a few lines
def parsed(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.Statement:
    """Parse a statement, or return it if it was parsed before."""
    (statement,) = connection.extract_statements(text)
    return statement


def _no_lines(game: Game) -> str:
    named = ", ".join(f"CAST(NULL AS VARCHAR) AS text_{name}" for name in text_fields(game))
    return (
        "SELECT DATE '2000-01-01' AS dt, CAST(0 AS BIGINT) AS file, CAST(0 AS BIGINT) AS line, "
        f"'' AS content, {named}, '{NOTHING}' AS malformed WHERE false"
    )
