"""The day's predictions and promotions in the results database, all or nothing, after reports."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from ds_assets.core.contracts import conform
from ds_assets.core.models.card.metrics_table import metrics_of
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.tables import CLUSTER_PROFILES, COHORTS, MODEL_METRICS, PREDICTIONS
from ds_assets.core.targets import targets_of
from ds_assets.daily_assets import (
    DATABASE_POOL,
    daily_asset,
    days_of,
    days_with,
    recording,
    report_days,
    table_schema,
    warn,
)
from ds_assets.game import Game
from ds_assets.infra.installation_ids import lake_id
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import readable_card
from ds_assets.infra.lake.promotions import rows_in_effect
from ds_assets.infra.lake.tables import (
    read_rows,
    stored_rows,
    stored_target_predictions,
    table_file,
)
from ds_assets.infra.results.database import Delivery, ResultsDatabase


def materialize_days(
    days: Sequence[dt.date], lake: Lake, results: ResultsDatabase, run_id: str, game: Game
) -> dict[dt.date, Delivery]:
    """Deliver the reports of each day, then its predictions with the promotions in effect.

    Raises:
        InputError: the database's rows of the installation's name are another lake's.
    """
    results.claim(lake_id(lake))
    return {day: _deliver(day, lake, results, run_id, game) for day in sorted(days)}


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `rds_results`."""

    @daily_asset(
        game,
        "rds_results",
        "delivery",
        {"results"},
        __doc__,
        pool=DATABASE_POOL,
        metadata=table_schema(PREDICTIONS) | {"dagster/table_name": "player_predictions"},
    )
    def rds_results(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        results: dg.ResourceParam[ResultsDatabase],
    ) -> None:
        days = days_with(days_of(context), "predictions", lake, context, game)
        with recording(context, days, lake, game) as record:
            deliveries = materialize_days(days, lake, results, context.run.run_id, game)
            record.contents.update({day: it.checksum for day, it in deliveries.items()})
        report_days(context, {day: _metadata(it) for day, it in deliveries.items()})

    return rds_results


def _deliver(
    day: dt.date, lake: Lake, results: ResultsDatabase, run_id: str, game: Game
) -> Delivery:
    cards = [readable_card(name, day, ModelCard, lake, warn) for name in targets_of(game)]
    metrics = metrics_of(card for card in cards if card is not None)
    results.put_report(MODEL_METRICS, day, conform(MODEL_METRICS, metrics))
    results.put_report(CLUSTER_PROFILES, day, read_rows(CLUSTER_PROFILES, day, lake))
    if lake.exists(table_file(COHORTS.name, day)):  # not stored by earlier versions
        results.put_report(COHORTS, day, read_rows(COHORTS, day, lake))
    return results.deliver(
        day,
        stored_rows(PREDICTIONS, day, lake),
        run_id,
        stored_target_predictions(day, lake),
        rows_in_effect(day, lake, game),
    )


def _metadata(delivery: Delivery) -> dict[str, object]:
    return {
        "dagster/partition_row_count": delivery.row_count,
        "checksum": delivery.checksum,
        "delivered_at": dg.MetadataValue.timestamp(delivery.delivered_at),
    }
