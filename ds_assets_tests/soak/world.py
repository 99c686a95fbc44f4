"""What the API depends on: a game's days, its servers, and the faults that they suffer.

Scope: servers, delivered days, and the expected values for each user on each day.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from ds_assets.core.group_defaults import compute_group_defaults
from ds_assets.core.prediction_json import decode_members, encode_members
from ds_assets.infra.cache.format import FIRST_DELIVERY
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.shown_offers import SHOWN_OFFERS, read_shown_offers
from ds_assets.infra.lake.tables import read_predictions, table_file
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.local_servers.blob import BlobServer
from ds_assets.local_servers.mysql import MySQLServer
from ds_assets.local_servers.process import ServerProcess
from ds_assets.local_servers.redis import RedisServer
from ds_assets_tests.assets.factories import Installation, make_played
from ds_assets_tests.infra.factories import put
from ds_assets_tests.infra.lake.lakes import make_blob_lake

USERS, PLAYED_DAYS, SERVED_DAYS = 400, 32, 8
_HISTORY = ("raw_logs", "user_activity", "user_lifetimes", "user_features")
_PREDICTED = ("clusters", "churn_model", "payment_model", "predictions")
"""Assets of the served days alone; nothing else of the graph is served."""
_LANDS = ("user_features", "models/clusters", "models/churn", "models/payment")
"""Folders of the lake that the live model needs of a day."""

Row = Mapping[str, Any]


@dataclass
class World:
    """The servers, and the days on them.

    Attributes:
        servers: By their role for the service: cache, table, live.
        days: Days whose predictions can arrive, in order.
        landed: Days that have arrived.
        truth: Predictions of each user and day, as the values of an answer.
        features: Features of each user and day, as a request sends them.
    """

    installation: Installation
    servers: Mapping[str, ServerProcess]
    environment: Mapping[str, str]
    lake: Lake
    results: ResultsDatabase
    cache: PredictionCache
    days: Sequence[dt.date]
    truth: Mapping[dt.date, Mapping[str, Row]]
    features: Mapping[dt.date, Mapping[str, Row]]
    landed: list[dt.date] = field(default_factory=list)

    @property
    def users(self) -> list[str]:
        """Users who have predictions on all days, in their order."""
        common = set.intersection(*(set(rows) for rows in self.truth.values()))
        return sorted(common)

    def land(self) -> dt.date:
        """Let the next day arrive: models first, then the table, then the cache.

        The last day can arrive again, as when a day is run again.

        Some users are left out of the cache, and some also of the table, so that the next source
        answers for them.
        """
        day = self.days[min(len(self.landed), len(self.days) - 1)]
        rows = read_predictions(day, self.installation.lake)
        for folder in _LANDS:
            for item in self.installation.lake.objects(f"{folder}/dt={day}/"):
                self.lake.write(item.name, self.installation.lake.read(item.name))
        self.landed.append(day)  # from here on an answer may be of this day
        self.results.deliver(day, _without(rows, is_for_live), f"run of {day}")
        self.fill_cache(day, rows)
        return day

    def stored_reports(self) -> set[str]:
        """Assignments whose offers are stored as shown."""
        days = self.lake.days(SHOWN_OFFERS)
        return {it.assignment_id for day in days for it in read_shown_offers(day, self.lake)}

    def fill_cache(self, day: dt.date, rows: pa.Table) -> None:
        """Put a day into the cache, as the graph does."""
        put(self.cache, day, _without(rows, is_for_table, is_for_live))
        self.cache.put_day(day, compute_group_defaults([rows]), FIRST_DELIVERY)


def is_for_live(user_id: str) -> bool:
    """Whether only the live model knows a user."""
    return user_id.endswith("7")


def is_for_table(user_id: str) -> bool:
    """Whether the table has a user, and the cache only after the first request."""
    return user_id.endswith("3")


@contextmanager
def made_world(folder: Path) -> Iterator[World]:
    """A game up to yesterday; no day has arrived yet."""
    last = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    start = last - dt.timedelta(days=PLAYED_DAYS - 1)
    installation, _ = make_played(
        folder / "game", users=USERS, days=PLAYED_DAYS, start=start, seed=11
    )
    days = [last - dt.timedelta(days=back) for back in reversed(range(SERVED_DAYS))]
    installation.run(start, last, _HISTORY)
    installation.run(days[0], last, _PREDICTED)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        redis = stack.enter_context(RedisServer(folder / "redis"))
        mysql = stack.enter_context(MySQLServer(folder / "mysql"))
        blob = stack.enter_context(BlobServer(folder / "blob"))
        patch.setenv("AZURE_STORAGE_KEY", blob.key)
        lake = make_blob_lake(blob.url, folder)
        environment = {
            "DS_ASSETS_HOME": str(folder / "service"),
            "DS_ASSETS_GAME": str(installation.home / "game.yaml"),
            "DS_ASSETS_LAKE_URL": str(lake),
            "DS_ASSETS_RESULTS_URL": mysql.url,
            "DS_ASSETS_CACHE_URL": redis.url,
            "AZURE_STORAGE_KEY": blob.key,
        }
        yield World(
            installation,
            {"cache": redis, "table": mysql, "live": blob},
            environment,
            lake,
            stack.enter_context(ResultsDatabase(mysql.url)),
            stack.enter_context(PredictionCache(redis.url, installation.game.name, 7)),
            days,
            {day: _truth(day, installation.lake) for day in days},
            {day: _features(day, installation.lake) for day in days},
        )


def _without(rows: pa.Table, *left_out: Callable[[str], bool]) -> pa.Table:
    kept = [not any(rule(user) for rule in left_out) for user in rows["user_id"].to_pylist()]
    return rows.filter(pa.array(kept))


def _truth(day: dt.date, lake: Lake) -> dict[str, Row]:
    """The values of every answer for this day, by user."""
    (rows,) = read_predictions(day, lake).combine_chunks().to_batches()
    users = rows["user_id"].to_pylist()
    return dict(zip(users, map(decode_members, encode_members(rows)), strict=True))


def _features(day: dt.date, lake: Lake) -> dict[str, Row]:
    rows = parquet.read_table(lake.local(table_file("user_features", day)), partitioning=None)
    return {row.pop("user_id"): _sent(row) for row in rows.to_pylist()}


def _sent(row: dict[str, Any]) -> Row:
    """Features as JSON, without dates, and with null for NaN."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in row.items()
        if not isinstance(value, dt.date)
    }
