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
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.models.card.markdown import card_words
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.data.user_groups import with_user_groups
from ds_assets.core.models.evaluation.drift import stability
from ds_assets.core.models.inference.batch import with_clusters
from ds_assets.core.models.training.champion import Champion
from ds_assets.core.models.training.train import train
from ds_assets.core.targets import SNAPSHOTS, Target, Task, task_of
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.labels import is_over, labels_of, outcomes_of
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import (
    LONGEST_PAUSE,
    cards_before,
    day_model,
    store_model,
    stored_files,
)
from ds_assets.infra.lake.tables import stored_days, table_file
from ds_assets.partitions import earlier_days
from ds_assets.resources import EngineResource, LakeResource

BATCH_BYTES = 256 << 20
"""Bytes of stored activity, once for each label window that sees them, that are joined at once."""

_KEPT_SNAPSHOTS = 16

Features = Callable[[dt.date], pd.DataFrame]


def update(
    target: Target, days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, ModelCard]:
    """Train the model of each day on what was known at its end, and store it.

    Days go in their order, as each of them challenges the model of the one before.
    """

    @lru_cache(maxsize=_KEPT_SNAPSHOTS)
    def features(day: dt.date) -> pd.DataFrame:
        return pd.read_parquet(lake.local(table_file("user_features", day)))

    task = task_of(target, game)
    activity, known = stored_days("user_activity", lake), stored_days("user_features", lake)

    def complete_snapshots(day: dt.date) -> list[dt.date]:
        wanted = _wanted(task, day, game)
        return [one for one in wanted if one in known and is_over(one, task, activity, game)]

    def label_bytes(looks: tuple[dt.date, list[dt.date]]) -> int:
        windows = (labels.label_days(one, task.horizon, game) for one in looks[1])
        return sum(activity[day].size for window in windows for day in window)

    looks = [(day, complete_snapshots(day)) for day in sorted(days)]
    cards: dict[dt.date, ModelCard] = {}
    for batch in map(dict, in_batches(looks, label_bytes, BATCH_BYTES)):
        seen = outcomes_of(task, batch, list(activity), lake, engine, game)
        for day in batch:
            snapshots = _labelled(task, day, seen[day], features, lake, game)
            cards[day] = _train(task, day, snapshots, lake, game)
    return cards


def build(target: Target, game: Game, description: str) -> dg.AssetsDefinition:
    """The asset of a target's model."""
    task = task_of(target, game)
    oldest = task.maturity_days + task.step * (SNAPSHOTS - 1)
    name = f"{target}_model"

    @daily_asset(
        game,
        "models",
        {"scikitlearn", "onnx"},
        description,
        name=name,
        deps=[
            "clusters",
            dg.AssetDep("user_features", partition_mapping=earlier_days(oldest)),
            dg.AssetDep("user_activity", partition_mapping=earlier_days(oldest)),
            dg.AssetDep(name, partition_mapping=earlier_days(LONGEST_PAUSE, 1)),
        ],
    )
    def model(
        context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
    ) -> None:
        store = lake.open()
        days = days_with(days_of(context), "clusters", store, context)
        cards = update(target, days, store, engine.open(), game)
        drifts = {d: drift_of(c, d, store) for d, c in cards.items() if c.state == "ready"}
        report_days(context, {d: _metadata(c, drifts.get(d, {})) for d, c in cards.items()})

    return model


def _wanted(task: Task, day: dt.date, game: Game) -> list[dt.date]:
    return labels.matured_snapshots(day, task.horizon, SNAPSHOTS, game)


def _labelled(
    task: Task,
    day: dt.date,
    seen: Mapping[dt.date, pd.Series],
    features: Features,
    lake: Lake,
    game: Game,
) -> list[LabelledSnapshot]:
    """Features and labels of a training day's snapshots."""
    clusters = day_model("clusters", day, ClusterCard, lake)
    snapshots = []
    for one, spend in seen.items():
        known = with_clusters(features(one), clusters)
        matured = labels.matures_on(one, task.horizon, game)
        labelled, spent = labels_of(task, known["user_id"], spend)
        grouped = with_user_groups(known, task.user_groups)
        snapshots.append(LabelledSnapshot(one, grouped, labelled, matured, spent))
    return snapshots


def _train(
    task: Task,
    day: dt.date,
    snapshots: Sequence[LabelledSnapshot],
    lake: Lake,
    game: Game,
) -> ModelCard:
    missing = sorted(set(_wanted(task, day, game)) - {one.day for one in snapshots})
    champion = _champion(task.target, day, lake)
    trained = train(task, day, snapshots, missing=missing, champion=champion)
    store_model(task.target, day, trained.card, trained.onnx, lake, trained.parts)
    return trained.card


def _champion(target: Target, day: dt.date, lake: Lake) -> Champion | None:
    """The model of the latest day before that has one, if it is not too long ago."""
    for card in cards_before(target, day, ModelCard, lake):
        if card.state == "ready":
            return Champion(card, stored_files(target, card, lake, with_twins=True))
    return None


def drift_of(card: ModelCard, day: dt.date, lake: Lake) -> dict[str, float]:
    """How far a day's features lie from those that a model was trained on, the furthest first."""
    features = pd.read_parquet(lake.local(table_file("user_features", day)))
    known = with_clusters(features, day_model("clusters", day, ClusterCard, lake))
    return stability(card.distributions, known, card.encoding)


def _metadata(card: ModelCard, drift: Mapping[str, float]) -> dict[str, object]:
    found: dict[str, object] = {
        "state": card.state,
        "reasons": "; ".join(card.reasons),
        "version": card.version,
        "snapshots": len(card.snapshots),
        "missing_snapshots": len(card.missing_snapshots),
        "training_rows": card.rows,
        "about": dg.MetadataValue.md(card_words(card, drift)),
        "card": dg.MetadataValue.json(
            card.model_dump(mode="json", exclude={"encoding", "distributions"})
        ),
    }
    if card.base_rate is not None:
        found["base_rate"] = card.base_rate
    if card.evaluation is not None:
        for name, measure in card.evaluation.measures:
            if measure is not None:
                found[name] = measure.value
    if drift:
        found["drift"] = max(drift.values())
    return found
