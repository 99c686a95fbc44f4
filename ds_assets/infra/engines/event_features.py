"""Features of users from lines of their events in memory, as the batch makes them of the logs.

Belongs here: the way from lines to features through the engine's reader and the core's functions,
in one go. Does not belong here: what a line or a feature is, and where lines come from.
"""

import datetime as dt
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ds_assets.core.activity import daily_activity
from ds_assets.core.events import RejectedLine
from ds_assets.core.features import features_at
from ds_assets.core.game_tables import user_features_table
from ds_assets.game import Game
from ds_assets.infra.engines.duckdb import DuckDBEngine, rows_of
from ds_assets.infra.engines.duckdb_reader import RawLines, parsed


@dataclass(frozen=True)
class FoundFeatures:
    """What lines say.

    Attributes:
        users: The columns of `user_features_table(game)` of each user who is active, by user id.
        rejected: The lines that are no events, by day and number.
    """

    users: list[dict[str, Any]]
    rejected: list[RejectedLine]


class EventFeatures:
    """Makes features of lines. Threads may share it: it serves one after the other.

    Args:
        game: Format of the lines, and what they mean. A row of a game whose logs are Parquet comes
            as an object of JSON.
        engine: What runs it.
    """

    def __init__(self, game: Game, engine: DuckDBEngine) -> None:
        if game.logs.format == "parquet":
            logs = game.logs.model_copy(update={"format": "jsonl"})
            game = game.model_copy(update={"logs": logs})
        self._lock = threading.Lock()
        self._reader = engine.own_reader(game)
        self._connection = self._reader.connection
        self._snapshots = f"{self._reader.name}_snapshots"
        self._connection.execute(f"CREATE TABLE {self._snapshots} (snapshot DATE)")
        activity = daily_activity(self._reader.frame, game, engine)
        snapshots = engine.session.table(self._snapshots)
        table = user_features_table(game)
        self._columns = table.names
        query = rows_of(features_at(activity, snapshots, game, engine), table)
        self._features = parsed(self._connection, query)
        self._rejected = (
            f"SELECT dt, line, reason FROM {self._reader.name}_bad_lines ORDER BY dt, line"
        )

    def of(self, lines: Mapping[dt.date, Sequence[str]], as_of: dt.date) -> FoundFeatures:
        """Features at the end of a day, of the users who are active then.

        They are those of the batch where the lines are all that arrived of these users in
        `arrival_days`, and no other user has an event of the same id.

        Args:
            lines: Lines as they stand in the logs, by the day on which they arrived; for CSV the
                first of a day is the header.
            as_of: The day; what arrived or happened later does not matter.
        """
        files = [RawLines(day, str(day), own) for day, own in sorted(lines.items())]
        with self._lock:
            self._connection.execute(f"TRUNCATE {self._snapshots}")
            self._connection.execute(f"INSERT INTO {self._snapshots} VALUES (?)", [as_of])
            self._reader.read_files(files)
            rejected = self._connection.execute(self._rejected).fetchall()
            users = self._connection.execute(self._features).fetchall()
        return FoundFeatures(
            [dict(zip(self._columns, user, strict=True)) for user in users],
            [RejectedLine(*line) for line in rejected],
        )
