"""Reading JSON lines with DuckDB."""

from collections.abc import Sequence

import duckdb

from ds_assets.core.events import NOTHING
from ds_assets.game import Game
from ds_assets.infra.engines.line_rules import json_path, literal, text_fields
from ds_assets.infra.engines.raw_files import Damage, Insert, RawText
from ds_assets.infra.engines.text_lines import IS_BLANK, RAW_TEXT, lines_of


def read_json(
    connection: duckdb.DuckDBPyConnection, files: Sequence[RawText], game: Game, insert: Insert
) -> list[Damage]:
    """Insert the lines of files. Returns the damaged files."""
    fields = text_fields(game)
    paths = ", ".join(literal(json_path(path)) for path in fields.values())
    named = ", ".join(f"fields[{n}] AS text_{name}" for n, name in enumerate(fields, start=1))
    with lines_of(connection, dict(enumerate(files))) as damaged:
        insert(f"""
            SELECT dt, file, line, content, {named}, CASE WHEN fields IS NULL THEN
                CASE WHEN {IS_BLANK} THEN '{NOTHING}' ELSE 'not JSON' END END AS malformed
            FROM (SELECT *, try(json_extract_string(content, [{paths}])) AS fields
                  FROM {RAW_TEXT})""")
    return damaged
