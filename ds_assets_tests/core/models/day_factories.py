"""Models of a day, small and made once; to be asked for where the fixture `few_trees` is used."""

import datetime as dt
from dataclasses import replace
from functools import cache

import pandas as pd

from ds_assets.core.cards import ModelFiles, card_text
from ds_assets.core.clusters.clustering import FittedClusters, fit_clusters
from ds_assets.core.models.inference import batch
from ds_assets.core.models.inference.batch import DayFiles, DayModels, load_day
from ds_assets.core.models.training.plan import TrainedModel
from ds_assets.core.models.training.train import train
from ds_assets.core.user_groups import with_user_groups
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import (
    FEATURES,
    FIRST_DAY,
    make_features,
    make_small_snapshots,
    make_snapshots,
    make_target,
)

NO_MODELS = DayModels(FIRST_DAY, clusters=None, targets={})


def files_of(model: TrainedModel | FittedClusters) -> ModelFiles:
    parts = model.parts if isinstance(model, TrainedModel) else {}
    return ModelFiles(card_text(model.card), model.onnx, tuple(sorted(parts.items())))


@cache
def churn_files() -> ModelFiles:
    snapshots = make_snapshots(3)
    return files_of(train(make_target(), snapshots[-1].matured_on, snapshots))


@cache
def payment_files() -> ModelFiles:
    snapshots = make_snapshots(3, pays=True)
    return files_of(train(make_target("payment"), snapshots[-1].matured_on, snapshots))


@cache
def cluster_files() -> ModelFiles:
    fitted = fit_clusters(
        make_features(), FEATURES, ClusterRange(min=3, max=3), None, as_of=FIRST_DAY
    )
    return files_of(fitted)


@cache
def lacking_files() -> ModelFiles:
    return files_of(train(make_target("payment"), FIRST_DAY, []))


def predict(features: pd.DataFrame, models: DayModels) -> pd.DataFrame:
    """Predictions in the game that factories make."""
    return batch.predict(features, models, FEATURES)


def make_day_files(
    as_of: dt.date = FIRST_DAY, clusters: ModelFiles | None = None, **targets: ModelFiles
) -> DayFiles:
    """Files of a day, those of each target by its name."""
    return DayFiles(as_of, clusters, tuple(targets.items()))


def day_files(**changes: ModelFiles) -> DayFiles:
    """Files of a day that has all models; others by the target's name."""
    files = {"churn": churn_files(), "payment": payment_files(), **changes}
    return DayFiles(FIRST_DAY, cluster_files(), tuple(files.items()))


@cache
def grouped(by: str) -> DayModels:
    snapshots = make_snapshots(3, groups=by) if by != "clusters" else [
        replace(snapshot, features=with_user_groups(snapshot.features.assign(cluster=1), by))
        for snapshot in make_snapshots(3)
    ]  # fmt: skip
    model = train(make_target(user_groups=by), snapshots[-1].matured_on, snapshots)
    return load_day(make_day_files(clusters=cluster_files(), churn=files_of(model)))


@cache
def sided_files() -> ModelFiles:
    """A payment model of which two groups have one of their own, and with amounts."""
    snapshots = make_small_snapshots(
        5, lambda _: lambda users: 3 * users["x"] * users["side"], 600, groups="side"
    )
    paid = [
        replace(
            snapshot, spend=snapshot.labels * (2 + snapshot.features["z"].to_numpy().clip(-1, 9))
        )
        for snapshot in snapshots
    ]
    target = make_target("payment", user_groups="side")
    return files_of(train(target, snapshots[-1].matured_on, paid))
