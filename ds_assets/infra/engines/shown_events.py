"""Events of raw logs which say that the offer of a promotion was shown.

Scope: one more pass over the raw files of a day, of games that have such events: the pass that
makes `user_activity` keeps counts of events, not what they say. Both have the same parsers and
rules.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ds_assets.game import Game
from ds_assets.infra.engines.file_kinds import read_files
from ds_assets.infra.engines.line_rules import typed_lines
from ds_assets.infra.engines.raw_files import RawFile, number_files
from ds_assets.infra.engines.sql import literal

_MEMORY_MB = 512


def read_shown_events(files: Sequence[RawFile], game: Game, folder: Path) -> pa.Table:
    """Read which offers the events of a day say were shown.

    Args:
        files: The raw files of the day.
        game: Format, fields and rules; it has `events.promotion_shown`.
        folder: Folder for what does not fit into the memory.

    Returns:
        A row for each user, day and text: `user_id`, `shown_on`, and `shown`, which is the id of an
        assignment or the name of an offer.
    """
    limits: dict[str, Any] = {
        "threads": 1,
        "memory_limit": f"{_MEMORY_MB}MB",
        "temp_directory": str(folder),
    }
    types = ", ".join(map(literal, game.events.promotion_shown))
    with duckdb.connect(config=limits) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("CREATE TABLE shown (user_id VARCHAR, shown_on DATE, shown VARCHAR)")

        def insert(lines: str, own: Game) -> None:
            events = typed_lines(lines, own, ["text_promotion"])
            connection.execute(f"""
                INSERT INTO shown SELECT DISTINCT user_id, event_date, text_promotion
                FROM ({events}) WHERE reason IS NULL AND event_type IN ({types})
                AND text_promotion > ''""")

        read_files(connection, number_files(files), game, insert)
        rows = connection.sql("SELECT DISTINCT * FROM shown ORDER BY ALL")
        return rows.to_arrow_table()
