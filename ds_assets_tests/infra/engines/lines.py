"""Lines of logs in every file format, and the events that are read from them."""

import csv
import datetime as dt
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow import parquet

from ds_assets.game import Game
from ds_assets.infra.engines.duckdb_reader import create_lines
from ds_assets.infra.engines.raw_files import RawFile, number_files

START = dt.date(2026, 2, 1)
Line = dict[str, Any]
Write = Callable[[list[Line], Path], None]
LEAST = {"u": "a", "t": f"{START}T10:00:00Z", "e": "play"}


def write_json(lines: list[Line], path: Path) -> None:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def write_csv(lines: list[Line], path: Path) -> None:
    text = io.StringIO()
    names = list(dict.fromkeys(name for line in lines for name in line))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    path.write_text(text.getvalue())


def write_parquet(lines: list[Line], path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist(lines), path)


WRITERS: dict[str, Write] = {"jsonl": write_json, "csv": write_csv, "parquet": write_parquet}
NESTED = ("jsonl", "parquet")


def make_game(file_format: str, **changes: Any) -> Game:
    fields = {"user_id": "u", "event_time": "t", "event_type": "e"} | changes.pop("fields", {})
    logs = {"format": file_format} | changes.pop("logs", {})
    least = {"name": "a", "first_day": START, "fields": fields, "logs": logs}
    return Game.model_validate(least | changes)


def read(lines: list[Line], game: Game, folder: Path) -> list[dict[str, Any]]:
    """The events of lines, in order; what a line lacks is that of the least one."""
    path = folder / "raw"
    WRITERS[game.logs.format]([{**LEAST, **line} for line in lines], path)
    return read_files([path], game)


def read_files(paths: list[Path], game: Game, day: dt.date = START) -> list[dict[str, Any]]:
    """The events of files that arrived on a day, in order."""
    with duckdb.connect() as connection:
        files = [RawFile(day, path.name, path) for path in paths]
        assert create_lines(connection, number_files(files), game, "lines") == []
        query = "SELECT * FROM lines WHERE reason IS DISTINCT FROM '' ORDER BY file, line"
        rows = connection.execute(query)
        names = [column[0] for column in rows.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def values_of(lines: list[Line], game: Game, folder: Path, column: str) -> list[Any]:
    events = read(lines, game, folder)
    assert [event["reason"] for event in events] == [None] * len(lines)
    return [event[column] for event in events]
