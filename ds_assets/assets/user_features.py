"""Features of each active user at the end of a day: windows, recency, lifetime, attributes."""

import datetime as dt
from collections.abc import Container, Sequence

import dagster as dg

from ds_assets.core import features
from ds_assets.core.game_settings import LIFETIMES
from ds_assets.core.game_tables import user_activity_table, user_features_table
from ds_assets.core.lifetimes import newest_roll_up, user_lifetimes_table
from ds_assets.core.lineage import lineage_of
from ds_assets.core.window_days import count_window_days, find_missing_active_days
from ds_assets.daily_assets import (
    daily_asset,
    days_of,
    days_with,
    find_missing_roll_ups,
    in_batches,
    leave_out,
    recording,
    report_days,
    table_schema,
)
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import between

TABLE = "user_features"
BATCH_BYTES = 256 << 20
"""Bytes of stored activity that are joined at once, counted for each snapshot that uses them."""


def materialize_days(
    days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, int]:
    """Compute and store the `user_features` of days. Returns the number of users of each day."""
    users: dict[dt.date, int] = {}
    records = Records(lineage_of(game), lake)
    stored, roll_up_days = map(records.usable_files, ("user_activity", LIFETIMES))

    def days_read(first: dt.date, last: dt.date) -> list[dt.date]:
        return between(stored, features.arrival_days(first, game)[0], last)

    def bytes_read(day: dt.date) -> int:
        return sum(stored[it].size for it in days_read(day, day))

    for batch in in_batches(sorted(days), bytes_read, BATCH_BYTES):
        days_of_batch = days_read(batch[0], batch[-1])
        roll_ups = {day: newest_roll_up(day) for day in batch}
        continued = sorted(roll_up_days.keys() & roll_ups.values())
        with (
            engine.read(days_of_batch, user_activity_table(game), lake) as activity,
            engine.read(continued, user_lifetimes_table(game), lake) as lifetimes,
            features.frame_of_snapshots(roll_ups, engine) as snapshots,
        ):
            frame = features.user_features(activity, lifetimes, snapshots, game, engine)
            users |= engine.store(frame, user_features_table(game), "snapshot", batch, lake)
    return users


def _describe(day: dt.date, records: Records) -> str:
    verdict = records.verdict(day)
    return "passed its checks" if verdict is None else str(verdict)


def _describe_windows(
    day: dt.date, stored: Container[dt.date], game: Game
) -> dict[str, dg.MetadataValue]:
    windows = count_window_days(day, stored, game)
    missing = find_missing_active_days(day, stored, game)
    return {
        "window_days": dg.MetadataValue.json({f"{n}d": str(it) for n, it in windows.items()}),
        "missing_days": dg.MetadataValue.json(list(map(str, missing))),
    }


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `user_features`."""

    @daily_asset(
        game,
        TABLE,
        "features",
        {"engine", "parquet"},
        __doc__,
        metadata=table_schema(user_features_table(game)),
    )
    def user_features(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
    ) -> None:
        days = days_with(days_of(context), "user_activity", lake, context, game)
        days = leave_out(
            days, find_missing_roll_ups(days, Records(lineage_of(game), lake)), context
        )
        with recording(context, days, lake, game):
            users = materialize_days(days, lake, engine, game)
        records = Records(lineage_of(game), lake)
        stored = records.usable_files("user_activity")
        metadata = {
            day: {
                "dagster/partition_row_count": count,
                "activity": _describe(day, records),
                **_describe_windows(day, stored, game),
            }
            for day, count in users.items()
        }
        report_days(context, metadata)

    return user_features
