"""Computing features from log lines in memory, with the same code as the daily batch.

Scope: running the engine's reader and the feature functions on a few lines.
"""

import datetime as dt
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ds_assets.core.activity import daily_activity
from ds_assets.core.events import RejectedLine
from ds_assets.core.features import user_features
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.lifetimes import last_covered_date, newest_roll_up, user_lifetimes_table
from ds_assets.game import Csv, Game, Logs
from ds_assets.infra.engines.duckdb import DuckDBEngine, select_days
from ds_assets.infra.engines.duckdb_reader import parsed
from ds_assets.infra.engines.raw_files import RawLines
from ds_assets.infra.lake.tables import StoredDay

KIND = "_kind"
"""Field of an event of a request with its kind, in a game with kinds of files."""
NO_ROLL_UPS: Mapping[dt.date, StoredDay] = {}


@dataclass(frozen=True)
class ComputedFeatures:
    """The features computed from lines.

    Attributes:
        users: A row of `user_features_table(game)` for each active user, sorted by user id.
        rejected: The invalid lines, sorted by day and number.
    """

    users: list[dict[str, Any]]
    rejected: list[RejectedLine]


class EventFeatures:
    """Computes features from lines. It is thread-safe; calls are serialized.

    Args:
        game: Meaning of the lines. Whatever the format of its files, a line is an event as an
            object of JSON.
        engine: Runs the queries.
    """

    def __init__(self, game: Game, engine: DuckDBEngine) -> None:
        game = game.model_copy(update={"logs": _as_json_lines(game.logs)})
        self._kinds = frozenset(game.logs.kinds)
        self._lock = threading.Lock()
        self._reader = engine.own_reader(game)
        self._connection = self._reader.connection
        self._snapshots = f"{self._reader.name}_snapshots"
        self._connection.execute(
            f"CREATE TABLE {self._snapshots} (snapshot DATE, roll_up DATE, covered DATE)"
        )
        self._lifetimes_table = user_lifetimes_table(game)
        self._lifetimes = self._fill_lifetimes({})
        activity = daily_activity(self._reader.frame, game, engine)
        lifetimes, snapshots = engine.table(self._lifetimes), engine.table(self._snapshots)
        table = user_features_table(game)
        self._columns = table.names
        query = engine.rows_of(user_features(activity, lifetimes, snapshots, game, engine), table)
        self._features = parsed(self._connection, query)
        self._rejected = (
            f"SELECT dt, line, reason FROM {self._reader.name}_bad_lines ORDER BY dt, line"
        )

    def of(
        self,
        lines: Mapping[dt.date, Sequence[str]],
        as_of: dt.date,
        roll_ups: Mapping[dt.date, StoredDay] = NO_ROLL_UPS,
    ) -> ComputedFeatures:
        """Compute the features of active users at the end of a day.

        They equal those of the batch if the lines are all those of these users that arrived in
        `arrival_days`, no other user has an event with the same id, and the newest roll-up is
        given.

        Args:
            lines: Log lines by arrival day.
            as_of: The day. Lines that arrived, and events that happened, later are ignored.
            roll_ups: The newest stored roll-up up to the day, if there is one.
        """
        files, strays = self._list_files(lines)
        roll_up = max(roll_ups, default=newest_roll_up(as_of))
        snapshot = [as_of, roll_up, last_covered_date(roll_up)]
        with self._lock:
            self._connection.execute(f"TRUNCATE {self._snapshots}")
            self._connection.execute(f"INSERT INTO {self._snapshots} VALUES (?, ?, ?)", snapshot)
            self._reader.read_files(files)
            self._fill_lifetimes(roll_ups)
            rejected = self._connection.execute(self._rejected).fetchall()
            users = self._connection.execute(self._features).fetchall()
        return ComputedFeatures(
            [dict(zip(self._columns, user, strict=True)) for user in users],
            sorted(
                [*(RejectedLine(*line) for line in rejected), *strays],
                key=lambda it: (it.day, it.line),
            ),
        )

    def _list_files(
        self, lines: Mapping[dt.date, Sequence[str]]
    ) -> tuple[list[RawLines], list[RejectedLine]]:
        """Return the lines of each day and kind, where others are blank, and those of no kind."""
        if not self._kinds:
            return [RawLines(day, str(day), own) for day, own in sorted(lines.items())], []
        files, strays = [], []
        for day, own in sorted(lines.items()):
            kinds = [_read_kind(line) for line in own]
            for kind in sorted(self._kinds & {*kinds}):
                pairs = zip(own, kinds, strict=True)
                files.append(RawLines(day, kind, [it if of == kind else "" for it, of in pairs]))
            strays += [
                RejectedLine(day, number, f"no {KIND}, one of {', '.join(sorted(self._kinds))}")
                for number, kind in enumerate(kinds, start=1)
                if kind not in self._kinds
            ]
        return files, strays

    def _fill_lifetimes(self, roll_ups: Mapping[dt.date, StoredDay]) -> str:
        """Replace the lifetimes by those of the users of the lines, and return their table."""
        name = f"{self._reader.name}_lifetimes"
        self._connection.execute(
            f"CREATE OR REPLACE TABLE {name} AS "
            f"SELECT * FROM ({select_days(roll_ups, self._lifetimes_table)}) "
            f"WHERE user_id IN (SELECT user_id FROM {self._reader.name}_lines)"
        )
        return name


def _as_json_lines(logs: Logs) -> Logs:
    """The lines of a request: objects of JSON, whose kind is named as a file."""
    form = {"format": "jsonl", "csv": Csv()}
    kinds = {
        name: kind.model_copy(update=form | {"files": name}) for name, kind in logs.kinds.items()
    }
    return logs.model_copy(update=form | {"kinds": kinds})


def _read_kind(line: str) -> str:
    """Return the kind that a line names; an empty text if it names none."""
    try:
        return str(json.loads(line).get(KIND, ""))
    except (ValueError, AttributeError):
        return ""
