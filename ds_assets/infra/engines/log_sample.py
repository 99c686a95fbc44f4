"""A summary of some log files: which fields their lines have, and which types their events.

Scope: counting, with the parsers that also read a whole day, so that both agree on what a field is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from ds_assets.game import Game
from ds_assets.infra.engines.file_kinds import read_files
from ds_assets.infra.engines.line_rules import text_fields
from ds_assets.infra.engines.raw_files import RawFile, number_files


@dataclass(frozen=True)
class LogSample:
    """What some log files hold.

    Attributes:
        lines: Number of lines that can be parsed.
        values: Number of lines with a value, for each name of `text_fields`.
        event_types: Event types of the lines.
    """

    lines: int
    values: Mapping[str, int]
    event_types: frozenset[str]


def summarize_logs(files: Sequence[RawFile], game: Game) -> LogSample:
    """Count the fields and event types of log files; what cannot be read is left out."""
    columns = [f"text_{name}" for name in text_fields(game)]
    selected = ", ".join(columns)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(f"CREATE TABLE lines ({' VARCHAR, '.join(columns)} VARCHAR)")

        def insert(lines: str, _game: Game) -> None:
            parsed = f"SELECT {selected} FROM ({lines}) WHERE malformed IS NULL"
            connection.execute(f"INSERT INTO lines {parsed}")

        read_files(connection, number_files(files), game, insert)
        counts = ", ".join(f"count(nullif({column}, ''))" for column in columns)
        total, *values = connection.sql(f"SELECT count(*), {counts} FROM lines").fetchall()[0]
        types = connection.sql("SELECT DISTINCT text_event_type FROM lines").fetchall()
    return LogSample(
        total,
        dict(zip(text_fields(game), values, strict=True)),
        frozenset(kind for (kind,) in types if kind),
    )
