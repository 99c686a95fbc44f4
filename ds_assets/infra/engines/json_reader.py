"""Reading JSON with DuckDB: a value on each line, or the elements of a file."""

from collections.abc import Iterator, Mapping

import duckdb
import pyarrow as pa

from ds_assets.core.events import NOTHING
from ds_assets.core.json_elements import json_lines
from ds_assets.game import Game
from ds_assets.infra.engines.field_values import plain_fields, text_lines
from ds_assets.infra.engines.line_rules import json_path
from ds_assets.infra.engines.raw_files import Damage, Insert, RawText
from ds_assets.infra.engines.sql import literal
from ds_assets.infra.engines.text_lines import IS_BLANK, LINE, RAW_TEXT, number_lines, streaming


def read_json(
    connection: duckdb.DuckDBPyConnection, files: Mapping[int, RawText], game: Game, insert: Insert
) -> list[Damage]:
    """Insert the lines of files. Returns the damaged files."""
    fields = plain_fields(game)
    paths = ", ".join(literal(json_path(names)) for names in fields)
    position = {names: n for n, names in enumerate(fields, start=1)}

    def plain(names: tuple[str, ...]) -> str:
        return f"fields[{position[names]}]"

    def read(number: int, file: RawText) -> Iterator[pa.RecordBatch]:
        content = file.content()
        is_lines = game.logs.format == "jsonl"
        return number_lines(content if is_lines else json_lines(content), file.day, number)

    lines = f"SELECT *, try(json_extract_string(content, [{paths}])) AS fields FROM {RAW_TEXT}"
    not_json = f"CASE WHEN {IS_BLANK} THEN '{NOTHING}' ELSE 'not JSON' END"
    malformed = [f"WHEN fields IS NULL THEN {not_json}"]
    with streaming(connection, files, read, pa.schema(LINE)) as damaged:
        insert(text_lines(lines, game, plain, malformed))
    return damaged
