"""Each active user as known at the end of a day: trailing windows, recency, gaps, attributes."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from ds_assets.assets.daily import (
    daily_asset,
    days_of,
    days_with,
    in_batches,
    report_days,
    table_schema,
)
from ds_assets.core import features
from ds_assets.core.tables import user_activity_table, user_features_table
from ds_assets.game import Game
from ds_assets.partitions import earlier_days
from ds_assets.resources.configurable import EngineResource, LakeResource
from ds_assets.resources.engine import DuckDBEngine
from ds_assets.resources.lake import FolderLake
from ds_assets.resources.stored_tables import row_counts, store, stored_days

TABLE = "user_features"
BATCH_ROWS = 20_000_000
"""Rows of activity, once for each snapshot that sees them, that are joined at once."""


def update(
    days: Sequence[dt.date], lake: FolderLake, engine: DuckDBEngine, game: Game
) -> dict[dt.date, int]:
    """Make `user_features` of days. Returns the users of each day."""
    users: dict[dt.date, int] = {}
    rows = row_counts("user_activity", lake)

    def seen_rows(day: dt.date) -> int:
        seen = stored_days("user_activity", *features.arrival_days(day, game), lake)
        return sum(map(rows, seen))

    for batch in in_batches(sorted(days), seen_rows, BATCH_ROWS):
        first, last = features.arrival_days(batch[0], game)[0], batch[-1]
        stored = stored_days("user_activity", first, last, lake)
        activity = engine.read(stored, user_activity_table(game))
        frame = features.user_features(activity, batch, game, engine)
        users |= store(frame, user_features_table(game), "snapshot", batch, lake, engine)
    return users


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `user_features`."""

    @daily_asset(
        game,
        "features",
        {"duckdb", "parquet"},
        __doc__,
        deps=[dg.AssetDep("user_activity", partition_mapping=earlier_days(game.lookback_days))],
        metadata=table_schema(user_features_table(game)),
    )
    def user_features(
        context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
    ) -> None:
        store_ = lake.open()
        days = days_with(days_of(context), "user_activity", store_, context)
        users = update(days, store_, engine.open(), game)
        report_days(context, {day: {"dagster/partition_row_count": n} for day, n in users.items()})

    return user_features
