"""Reading Parquet with DuckDB."""

from collections.abc import Sequence

import duckdb

from ds_assets.game import Game
from ds_assets.infra.engines.line_rules import literal, text_fields
from ds_assets.infra.engines.raw_files import Damage, Insert, RawFile


def read_parquet(
    connection: duckdb.DuckDBPyConnection, files: Sequence[RawFile], game: Game, insert: Insert
) -> list[Damage]:
    """Insert the rows of files as lines. Returns the damaged files."""
    damaged = []
    for number, file in enumerate(files):
        try:  # one statement per file: a damaged file must not affect the others
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
