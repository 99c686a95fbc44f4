"""The day's predictions in the results database, all or nothing."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from ds_assets.assets.daily import (
    daily_asset,
    days_of,
    days_with,
    report_days,
    table_schema,
)
from ds_assets.assets.predictions import read_predictions
from ds_assets.core.tables import PREDICTIONS
from ds_assets.game import Game
from ds_assets.resources.configurable import LakeResource, ResultsResource
from ds_assets.resources.lake import Lake
from ds_assets.resources.results_database import Delivery, ResultsDatabase

DATABASE_POOL = "results_database"
"""Pool of what writes to the database; its limit stands in dagster.yaml."""


def update(
    days: Sequence[dt.date], lake: Lake, results: ResultsDatabase, run_id: str
) -> dict[dt.date, Delivery]:
    """Deliver each day's predictions."""
    results.ensure_schema()
    return {day: results.deliver(day, read_predictions(day, lake), run_id) for day in sorted(days)}


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `rds_results`."""

    @daily_asset(
        game,
        "delivery",
        {"mysql", "sqlalchemy"},
        __doc__,
        deps=["predictions"],
        pool=DATABASE_POOL,
        metadata=table_schema(PREDICTIONS) | {"dagster/table_name": "player_predictions"},
    )
    def rds_results(
        context: dg.AssetExecutionContext, lake: LakeResource, results: ResultsResource
    ) -> None:
        store = lake.open()
        days = days_with(days_of(context), "predictions", store, context)
        with results.open() as database:
            deliveries = update(days, store, database, context.run.run_id)
        report_days(context, {day: _metadata(found) for day, found in deliveries.items()})

    return rds_results


def _metadata(delivery: Delivery) -> dict[str, object]:
    return {
        "dagster/partition_row_count": delivery.row_count,
        "checksum": delivery.checksum,
        "delivered_at": dg.MetadataValue.timestamp(delivery.delivered_at),
    }
