"""What the churn and the payment model have in common: their snapshots, labels and storage.

Belongs here: gathering what a training day may see. How a model is trained is `core.training`'s.
"""

import datetime as dt
from collections.abc import Callable, Container, Mapping, Sequence
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
from ds_assets.resources.engine import LakeEngine
from ds_assets.resources.lake import Lake
from ds_assets.resources.model_store import day_model, store_model
from ds_assets.resources.stored_tables import between, stored_days, table_file

SNAPSHOTS = 12
"""Weekly snapshots that a model is trained on: a quarter of a year."""

BATCH_BYTES = 256 << 20
"""Bytes of stored activity, once for each label window that sees them, that are joined at once."""

_KEPT_SNAPSHOTS = 16

Features = Callable[[dt.date], pd.DataFrame]


def horizon_of(target: Target, game: Game) -> int:
    """Length of a target's label window, in days."""
    return game.horizons.churn if target == "churn" else game.horizons.payment


def update(
    target: Target, days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, ModelCard]:
    """Train the model of each day on what was known at its end, and store it."""

    @lru_cache(maxsize=_KEPT_SNAPSHOTS)
    def features(day: dt.date) -> pd.DataFrame:
        return pd.read_parquet(lake.local(table_file("user_features", day)))

    horizon = horizon_of(target, game)
    activity, known = stored_days("user_activity", lake), stored_days("user_features", lake)

    def complete_snapshots(day: dt.date) -> list[dt.date]:
        wanted = _wanted(target, day, game)
        return [one for one in wanted if one in known and _is_over(one, horizon, activity, game)]

    def label_bytes(looks: tuple[dt.date, list[dt.date]]) -> int:
        windows = (labels.label_days(one, horizon, game) for one in looks[1])
        return sum(activity[day].size for window in windows for day in window)

    looks = [(day, complete_snapshots(day)) for day in sorted(days)]
    cards: dict[dt.date, ModelCard] = {}
    for batch in map(dict, in_batches(looks, label_bytes, BATCH_BYTES)):
        labels_of = _positives(target, batch, list(activity), lake, engine, game)
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


def _wanted(target: Target, day: dt.date, game: Game) -> list[dt.date]:
    return labels.matured_snapshots(day, horizon_of(target, game), SNAPSHOTS, game)


def _is_over(snapshot: dt.date, horizon: int, activity: Container[dt.date], game: Game) -> bool:
    """Whether every day is there on which the users of a snapshot could have come back."""
    return all(day in activity for day in labels.label_days(snapshot, horizon, game))


def _labelled(
    target: Target,
    day: dt.date,
    positives: Mapping[dt.date, set[str]],
    features: Features,
    lake: Lake,
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
    lake: Lake,
    game: Game,
) -> ModelCard:
    horizon = horizon_of(target, game)
    missing = sorted(set(_wanted(target, day, game)) - {one.day for one in snapshots})
    trained = train(target, day, snapshots, horizon=horizon, missing=missing)
    store_model(target, day, trained.card, trained.onnx, lake)
    return trained.card


def _positives(
    target: Target,
    snapshots: Mapping[dt.date, Sequence[dt.date]],
    stored: Sequence[dt.date],
    lake: Lake,
    engine: LakeEngine,
    game: Game,
) -> dict[dt.date, dict[dt.date, set[str]]]:
    """Users who were seen, or who paid, in the label window of each training day's snapshots."""
    found: dict[dt.date, dict[dt.date, set[str]]] = {
        day: {one: set() for one in of_day} for day, of_day in snapshots.items()
    }
    all_snapshots = [one for of_day in snapshots.values() for one in of_day]
    if not all_snapshots:
        return found
    seen = between(stored, min(all_snapshots), max(snapshots))
    activity = engine.read(seen, user_activity_table(game), lake)
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
