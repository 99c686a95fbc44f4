"""Reading Parquet with DuckDB."""

from collections.abc import Container, Mapping

import duckdb

from ds_assets.game import Game
from ds_assets.infra.engines.field_values import broken_json, plain_fields, text_columns
from ds_assets.infra.engines.raw_files import Damage, Insert, RawFile, RawText
from ds_assets.infra.engines.sql import literal


def read_parquet(
    connection: duckdb.DuckDBPyConnection, files: Mapping[int, RawText], game: Game, insert: Insert
) -> list[Damage]:
    """Insert the rows of files as lines. Returns the damaged files."""
    damaged = []
    for number, file in files.items():
        if not isinstance(file, RawFile):
            damaged.append(
                Damage(number, "Parquet files are not read from zip archives; unpack it")
            )
            continue
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
    position = {names: n for n, names in enumerate(plain_fields(game))}
    instants = _find_instants(connection, str(file.path))
    fields = "".join(
        f", {_parquet_field(connection, read, names, instants)} AS field_{n}"
        for names, n in position.items()
    )

    def plain(names: tuple[str, ...]) -> str:
        return f"field_{position[names]}"

    cases = broken_json(game, plain)
    return f"""
        SELECT dt, file, line, content, {text_columns(game, plain)},
            CAST({f"CASE {cases} END" if cases else "NULL"} AS VARCHAR) AS malformed
        FROM (SELECT DATE '{file.day}' AS dt, CAST({number} AS BIGINT) AS file,
                  file_row_number + 1 AS line, CAST(to_json(source) AS VARCHAR) AS content{fields}
              FROM {read} AS source)"""


def _parquet_field(
    connection: duckdb.DuckDBPyConnection,
    read: str,
    names: tuple[str, ...],
    instants: Container[str],
) -> str:
    field = ".".join('"' + name.replace('"', '""') + '"' for name in ("source", *names))
    try:
        described = connection.execute(f"DESCRIBE SELECT {field} FROM {read} AS source")
    except duckdb.BinderException:
        return "CAST(NULL AS VARCHAR)"
    ((_, kind, *_),) = described.fetchall()
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP")):
        return f"CAST(to_json({field}) AS VARCHAR)"
    # Spark's times in UTC; DuckDB reads them without a zone.
    zone = " || '+00'" if ", ".join(names) in instants else ""
    return f"CAST({field} AS VARCHAR){zone}"


def _find_instants(connection: duckdb.DuckDBPyConnection, path: str) -> set[str]:
    """Find the columns of a file with times as INT96: nested names, joined by commas."""
    query = "SELECT DISTINCT path_in_schema FROM parquet_metadata(?) WHERE type = 'INT96'"
    return {name for (name,) in connection.execute(query, [path]).fetchall()}
