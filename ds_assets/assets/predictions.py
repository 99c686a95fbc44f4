"""What is predicted of each active user: every target and the cluster, one row per user."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd

from ds_assets.core.encoding import USER_ID
from ds_assets.core.engine import DataFrame
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.inference.batch import Predictor, TargetPredictor
from ds_assets.core.previews import LAST_PURCHASE, find_payers_at_risk, show_rows
from ds_assets.core.tables import PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.core.targets import BUILT_IN, custom_targets, targets_of
from ds_assets.core.window_days import RECENT_DAYS, find_distorting_days
from ds_assets.daily_assets import (
    daily_asset,
    days_of,
    days_with,
    in_batches,
    leave_out,
    pictured_days,
    recording,
    report_days,
    table_schema,
)
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import day_files, stored_card
from ds_assets.infra.lake.prediction_checks import find_bad_prediction
from ds_assets.infra.lake.tables import read_columns, read_rows, stored_days

TABLE = "predictions"
ROWS_SHOWN = 10
"""Rows of each table in the UI."""
_DIGITS = 4
DAYS_AT_ONCE = 32
"""Days whose models travel together to where the features are."""


def update(
    days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, int]:
    """Apply each day's models to its features, and store the rows. Returns their number."""
    rows: dict[dt.date, int] = {}
    for batch in in_batches(sorted(days), lambda _: 1, DAYS_AT_ONCE):
        with engine.read(batch, user_features_table(game), lake) as features:
            _predict_targets(batch, features, lake, engine, game)
            files = tuple(day_files(day, lake) for day in batch)
            predictor = Predictor(files, declare_features(game), game.closed_days)
            predicted = engine.map(features, predictor, PREDICTIONS)
            rows |= engine.store(predicted, PREDICTIONS, "as_of", batch, lake)
    return rows


def _predict_targets(
    days: Sequence[dt.date], features: DataFrame, lake: Lake, engine: LakeEngine, game: Game
) -> None:
    """Store predictions of the game's own targets. They come first: `predictions` end a day."""
    targets = custom_targets(game)
    if not targets:
        stored = stored_days(TARGET_PREDICTIONS.name, lake)
        lake.delete([stored[day].name for day in days if day in stored])
        return
    files = tuple(day_files(day, lake, targets) for day in days)
    predictor = TargetPredictor(files, tuple(targets.values()), declare_features(game))
    predicted = engine.map(features, predictor, TARGET_PREDICTIONS)
    engine.store(predicted, TARGET_PREDICTIONS, "as_of", days, lake)


def _find_distorted_days(days: Sequence[dt.date], lake: Lake, game: Game) -> dict[dt.date, str]:
    """Find the days whose models would take users for gone, as days before them are missing."""
    stored = open_records(game, lake).usable_days("user_activity")
    missing = {day: find_distorting_days(day, stored, game) for day in days}
    return {
        day: (
            f"of the {RECENT_DAYS} days before it {', '.join(map(str, absent))} are missing or "
            "refused, so that users would look gone; collect or accept them, or add them to "
            "closed_days if their logs are lost"
        )
        for day, absent in missing.items()
        if absent and _has_models(day, lake, game)
    }


def _has_models(day: dt.date, lake: Lake, game: Game) -> bool:
    cards = (stored_card(target, day, ModelCard, lake) for target in targets_of(game))
    return any(
        card is not None and (card.state == "ready" or card.early is not None) for card in cards
    )


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `predictions`."""

    @daily_asset(
        game,
        TABLE,
        "predictions",
        {"engine", "parquet"},
        __doc__,
        metadata=table_schema(PREDICTIONS),
    )
    def predictions(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
    ) -> None:
        days = days_with(days_of(context), "clusters", lake, context, game)
        days = leave_out(days, _find_distorted_days(days, lake, game), context)
        with recording(context, days, lake, game) as record:
            update(days, lake, engine, game)
            # The check reports them; without a record no other run uses them either.
            bad_days = [day for day in days if find_bad_prediction(day, lake)]
            record.contents.update(dict.fromkeys(bad_days))
        shown = pictured_days(days)
        report_days(
            context, {day: _metadata(day, lake, game, previewed=day in shown) for day in days}
        )

    return predictions


def _metadata(day: dt.date, lake: Lake, game: Game, *, previewed: bool) -> dict[str, object]:
    columns = [USER_ID, *(target.probability_column for target in BUILT_IN)]
    predicted = read_columns(TABLE, day, columns, lake)  # not all the texts
    metadata: dict[str, object] = {"dagster/partition_row_count": len(predicted)}
    for target in BUILT_IN:
        name = target.probability_column
        if predicted[name].notna().any():
            metadata[f"mean_{name}"] = round(float(predicted[name].mean()), _DIGITS)
    if previewed and len(predicted):
        metadata |= _preview(day, predicted, lake, game)
    return metadata


def _preview(
    day: dt.date, predicted: pd.DataFrame, lake: Lake, game: Game
) -> dict[str, dg.MetadataValue]:
    """A few rows, and the paying users who are most at risk."""
    features = read_columns("user_features", day, [USER_ID, LAST_PURCHASE], lake)
    parts = {
        "payers_at_risk": find_payers_at_risk(predicted, features, game.active_days),
        "first_rows": predicted,
    }
    users = {name: rows[USER_ID].head(ROWS_SHOWN) for name, rows in parts.items()}
    return {
        name: dg.MetadataValue.table([dg.TableRecord(row) for row in _rows_of(shown, day, lake)])
        for name, shown in users.items()
        if len(shown)
    }


def _rows_of(users: pd.Series, day: dt.date, lake: Lake) -> list[dict[str, Any]]:
    """The predictions of users, in their order."""
    rows = read_rows(PREDICTIONS, day, lake, users).to_pandas()
    return show_rows(rows.set_index(USER_ID, drop=False).loc[users])
