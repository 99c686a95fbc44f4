"""Reading Parquet with DuckDB."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import parquet

from ds_assets.core.decompression import DamagedFileError
from ds_assets.game import Game
from ds_assets.infra.engines.field_values import plain_fields, text_lines
from ds_assets.infra.engines.raw_files import Damage, Insert, RawFile, RawText
from ds_assets.infra.engines.sql import literal

_Field = tuple[pa.Field, str, Any]
"""A field of a file, its SQL, and its type in DuckDB."""


def read_parquet(
    connection: duckdb.DuckDBPyConnection, files: Mapping[int, RawText], game: Game, insert: Insert
) -> list[Damage]:
    """Insert the rows of files as lines. Returns the damaged files."""
    damaged = []
    for number, file in files.items():
        try:  # one statement per file: a damaged file must not affect the others
            insert(_parquet_lines(connection, number, file, game))
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise
        except DamagedFileError as error:
            damaged.append(Damage(number, str(error)))
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            damaged.append(Damage(number, _reason(error)))
    return damaged


def _reason(error: Exception) -> str:
    text = str(error)
    if "encrypted" in text:
        return "the file is encrypted; write it without encryption"
    return f"the file is damaged: {text.splitlines()[0]}"


def _parquet_lines(
    connection: duckdb.DuckDBPyConnection, number: int, file: RawText, game: Game
) -> str:
    """Return the SQL of a file's rows. Columns are found by position, as DuckDB ignores case."""
    if not isinstance(file, RawFile):
        raise DamagedFileError("Parquet in a zip archive is not read; unpack it")
    schema = parquet.read_schema(file.path)
    columns = [f"column_{n}" for n in range(len(schema))]
    read = f"read_parquet({literal(str(file.path))}, hive_partitioning = false)"
    source = f"{read} AS source({', '.join(columns)})"
    types = connection.sql(f"SELECT {', '.join(columns)} FROM {source} LIMIT 0").types
    stored = list(zip(schema, columns, types, strict=True))
    instants = _find_instants(connection, str(file.path))
    position = {names: n for n, names in enumerate(plain_fields(game))}
    fields = "".join(
        f", {_text(names, stored, is_instant=', '.join(names) in instants)} AS field_{n}"
        for names, n in position.items()
    )
    members = (f"{literal(name)}, {it}" for name, it in zip(schema.names, columns, strict=True))

    def plain(names: tuple[str, ...]) -> str:
        return f"field_{position[names]}"

    lines = f"""
        SELECT DATE '{file.day}' AS dt, CAST({number} AS BIGINT) AS file,
            file_row_number + 1 AS line,
            CAST(json_object({", ".join(members)}) AS VARCHAR) AS content{fields}
        FROM {source}"""
    return text_lines(lines, game, plain, [])


def _find_instants(connection: duckdb.DuckDBPyConnection, path: str) -> Container[str]:
    """Find the columns of a file with times as INT96: nested names, joined by commas."""
    query = "SELECT DISTINCT path_in_schema FROM parquet_metadata(?) WHERE type = 'INT96'"
    return {name for (name,) in connection.execute(query, [path]).fetchall()}


def _text(names: Sequence[str], fields: Sequence[_Field], *, is_instant: bool) -> str:
    """Return the SQL of the text in the field with some names, each nested in the one before.

    Raises:
        DamagedFileError: several fields have one of the names.
    """
    name, *later = names
    if not (matches := [field for field in fields if field[0].name == name]):
        return "CAST(NULL AS VARCHAR)"
    if len(matches) > 1:
        raise DamagedFileError(f"the file has two columns {name}")
    ((field, sql, kind),) = matches
    if not later:
        if pa.types.is_nested(field.type):
            return f"CAST(to_json({sql}) AS VARCHAR)"
        # Spark's times in UTC; DuckDB reads them without a zone.
        zone = " || '+00'" if is_instant else ""
        return f"CAST({sql} AS VARCHAR){zone}"
    if not pa.types.is_struct(field.type):
        return "CAST(NULL AS VARCHAR)"
    children = (
        (inner, f"{sql}.{_quoted(inner_name)}", inner_kind)
        for inner, (inner_name, inner_kind) in zip(field.type, kind.children, strict=True)
    )
    return _text(later, list(children), is_instant=is_instant)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
