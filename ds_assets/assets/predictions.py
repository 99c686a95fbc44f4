"""What is predicted for each active user: churn, payment and cluster, a row a user."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ds_assets.assets.daily import daily_asset, days_of, days_with, report_days, table_schema
from ds_assets.core.checksum import predictions_of
from ds_assets.core.predicting import predict
from ds_assets.core.tables import PREDICTIONS
from ds_assets.game import Game
from ds_assets.resources.configurable import LakeResource
from ds_assets.resources.lake import Lake
from ds_assets.resources.model_store import day_models
from ds_assets.resources.stored_tables import store_rows, table_file

TABLE = "predictions"


def update(days: Sequence[dt.date], lake: Lake) -> dict[dt.date, pa.Table]:
    """Apply each day's models to its features, and store the rows."""
    return {day: _predict(day, lake) for day in days}


def read_predictions(day: dt.date, lake: Lake) -> pa.Table:
    """The stored predictions of a day."""
    stored = parquet.read_table(lake.local(table_file(TABLE, day)), partitioning=None)
    return stored.cast(PREDICTIONS.arrow_schema)


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `predictions`."""

    @daily_asset(
        game,
        "predictions",
        {"onnx", "parquet"},
        __doc__,
        deps=["user_features", "clusters", "churn_model", "payment_model"],
        metadata=table_schema(PREDICTIONS),
    )
    def predictions(context: dg.AssetExecutionContext, lake: LakeResource) -> None:
        store = lake.open()
        days = days_with(days_of(context), "clusters", store, context)
        tables = update(days, store)
        report_days(context, {day: _metadata(table) for day, table in tables.items()})

    return predictions


def _predict(day: dt.date, lake: Lake) -> pa.Table:
    features = pd.read_parquet(lake.local(table_file("user_features", day)))
    rows = predictions_of(day, predict(features, day_models(day, lake)))
    store_rows(rows, TABLE, day, lake)
    return rows


def _metadata(table: pa.Table) -> dict[str, object]:
    found: dict[str, object] = {"dagster/partition_row_count": table.num_rows}
    for name in ("churn_probability", "payment_probability"):
        mean = pa.compute.mean(table[name]).as_py()
        if mean is not None:
            found[f"mean_{name}"] = mean
    return found
