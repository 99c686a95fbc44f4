"""What the churn and the payment model have in common: their snapshots, labels and storage.

Belongs here: gathering what a training day may see. How a model is trained is `core.training`'s.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import dagster as dg
import pandas as pd

from ds_assets.assets.daily import daily_asset, days_of, days_with, in_batches, report_days
from ds_assets.core import labels
from ds_assets.core.clustering import ClusterCard
from ds_assets.core.evaluation import Target
from ds_assets.core.model_card import ModelCard
from ds_assets.core.predicting import with_clusters
from ds_assets.core.tables import user_activity_table
from ds_assets.core.training import LabelledSnapshot, train
from ds_assets.game import Game
from ds_assets.partitions import earlier_days
from ds_assets.resources.configurable import EngineResource, LakeResource
from ds_assets.resources.engine import DuckDBEngine
from ds_assets.resources.lake import FolderLake
from ds_assets.resources.model_store import day_model, store_model
from ds_assets.resources.stored_tables import row_counts, stored_days, table_file

SNAPSHOTS = 12
"""Weekly snapshots that a model is trained on: a quarter of a year."""

BATCH_ROWS = 20_000_000
"""Rows of activity, once for each label window that sees them, that are joined at once."""

_KEPT_SNAPSHOTS = 16

Features = Callable[[dt.date], pd.DataFrame]


def horizon_of(target: Target, game: Game) -> int:
    """Length of a target's label window, in days."""
    return game.horizons.churn if target == "churn" else game.horizons.payment


def update(
    target: Target, days: Sequence[dt.date], lake: FolderLake, engine: DuckDBEngine, game: Game
) -> dict[dt.date, ModelCard]:
    """Train the model of each day on what was known at its end, and store it."""

    @lru_cache(maxsize=_KEPT_SNAPSHOTS)
    def features(day: dt.date) -> pd.DataFrame:
        return pd.read_parquet(lake.local(table_file("user_features", day)))

    horizon = horizon_of(target, game)
    rows = row_counts("user_activity", lake)

    def label_rows(looks: tuple[dt.date, list[dt.date]]) -> int:
        return sum(rows(day) for one in looks[1] for day in labels.label_days(one, horizon, game))

    looks = [(day, _complete_snapshots(target, day, lake, game)) for day in sorted(days)]
    cards: dict[dt.date, ModelCard] = {}
    for batch in map(dict, in_batches(looks, label_rows, BATCH_ROWS)):
        labels_of = _positives(target, batch, lake, engine, game)
        for day in batch:
            snapshots = _labelled(target, day, labels_of[day], features, lake, game)
            cards[day] = _train(target, day, snapshots, lake, game)
    return cards


def build(target: Target, game: Game, description: str) -> dg.AssetsDefinition:
    """The asset of a target's model."""
    oldest = game.maturity_days(horizon_of(target, game)) + 7 * (SNAPSHOTS - 1)

    @daily_asset(
        game,
        "models",
        {"scikitlearn", "onnx"},
        description,
        name=f"{target}_model",
        deps=[
            "clusters",
            dg.AssetDep("user_features", partition_mapping=earlier_days(oldest)),
            dg.AssetDep("user_activity", partition_mapping=earlier_days(oldest)),
        ],
    )
    def model(
        context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
    ) -> None:
        store = lake.open()
        days = days_with(days_of(context), "clusters", store, context)
        cards = update(target, days, store, engine.open(), game)
        report_days(context, {day: _metadata(card) for day, card in cards.items()})

    return model


def _complete_snapshots(
    target: Target, day: dt.date, lake: FolderLake, game: Game
) -> list[dt.date]:
    """The snapshots of a training day that have all that they need."""
    horizon = horizon_of(target, game)
    wanted = labels.matured_snapshots(day, horizon, SNAPSHOTS, game)
    return [one for one in wanted if _is_complete(one, horizon, lake, game)]


def _labelled(
    target: Target,
    day: dt.date,
    positives: Mapping[dt.date, set[str]],
    features: Features,
    lake: FolderLake,
    game: Game,
) -> list[LabelledSnapshot]:
    """Features and labels of a training day's snapshots."""
    clusters = day_model("clusters", day, ClusterCard, lake)
    horizon = horizon_of(target, game)
    snapshots = []
    for one, users in positives.items():
        known = with_clusters(features(one), clusters)
        seen = known["user_id"].isin(users)
        labelled = pd.Series(~seen if target == "churn" else seen).set_axis(known["user_id"])
        matured = labels.matures_on(one, horizon, game)
        snapshots.append(LabelledSnapshot(one, known, labelled, matured))
    return snapshots


def _train(
    target: Target,
    day: dt.date,
    snapshots: Sequence[LabelledSnapshot],
    lake: FolderLake,
    game: Game,
) -> ModelCard:
    horizon = horizon_of(target, game)
    wanted = set(labels.matured_snapshots(day, horizon, SNAPSHOTS, game))
    missing = sorted(wanted - {one.day for one in snapshots})
    trained = train(target, day, snapshots, horizon=horizon, missing=missing)
    store_model(target, day, trained.card, trained.onnx, lake)
    return trained.card


def _is_complete(snapshot: dt.date, horizon: int, lake: FolderLake, game: Game) -> bool:
    """Whether a snapshot has features, and every day on which its users could have come back."""
    needed = labels.label_days(snapshot, horizon, game)
    return lake.exists(table_file("user_features", snapshot)) and all(
        lake.exists(table_file("user_activity", day)) for day in needed
    )


def _positives(
    target: Target,
    snapshots: Mapping[dt.date, Sequence[dt.date]],
    lake: FolderLake,
    engine: DuckDBEngine,
    game: Game,
) -> dict[dt.date, dict[dt.date, set[str]]]:
    """Users who were seen, or who paid, in the label window of each training day's snapshots."""
    found: dict[dt.date, dict[dt.date, set[str]]] = {
        day: {one: set() for one in of_day} for day, of_day in snapshots.items()
    }
    all_snapshots = [one for of_day in snapshots.values() for one in of_day]
    if not all_snapshots:
        return found
    stored = stored_days("user_activity", min(all_snapshots), max(snapshots), lake)
    activity = engine.read(stored, user_activity_table(game))
    outcomes = labels.outcomes(activity, snapshots, horizon_of(target, game), game, engine)
    did = f"{'active_days' if target == 'churn' else 'purchases'} > 0"
    rows = engine.to_pandas(outcomes.where(did).select("as_of", "snapshot", "user_id"))
    looks = zip(rows["as_of"].dt.date, rows["snapshot"].dt.date, rows["user_id"], strict=True)
    for day, one, user in looks:
        found[day][one].add(user)
    return found


def _metadata(card: ModelCard) -> dict[str, object]:
    found: dict[str, object] = {
        "state": card.state,
        "reasons": "; ".join(card.reasons),
        "version": card.version,
        "snapshots": len(card.snapshots),
        "missing_snapshots": len(card.missing_snapshots),
        "training_rows": card.rows,
        "card": dg.MetadataValue.json(card.model_dump(mode="json", exclude={"encoding"})),
    }
    if card.base_rate is not None:
        found["base_rate"] = card.base_rate
    if card.evaluation is not None:
        for name, measure in card.evaluation.measures:
            found[name] = measure.value
    return found
