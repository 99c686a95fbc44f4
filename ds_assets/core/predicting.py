"""One row for each active user: the day's models applied to the day's features.

Belongs here: which model gives which column. Where models and features come from is not.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from ds_assets.core.clustering import ClusterCard
from ds_assets.core.model_card import AnyCard, ModelCard, read_card
from ds_assets.core.scoring import Model, assign, load_model, probabilities
from ds_assets.core.tables import PREDICTIONS

_KEPT_DAYS = 8


@dataclass(frozen=True)
class DayModels:
    """The models of one day; None where there was not enough data for one."""

    as_of: dt.date
    clusters: Model[ClusterCard] | None
    churn: Model[ModelCard] | None
    payment: Model[ModelCard] | None


@dataclass(frozen=True)
class ModelFile:
    """A stored model as it travels to where it is used: its card as JSON, and its ONNX file."""

    card: str
    onnx: bytes


@dataclass(frozen=True)
class DayFiles:
    """The files of one day's models; None where there was not enough data for one."""

    as_of: dt.date
    clusters: ModelFile | None
    churn: ModelFile | None
    payment: ModelFile | None


@dataclass(frozen=True)
class Predictor:
    """Predicts rows of features with the models of their day, in whichever process it finds itself.

    Attributes:
        days: Files of each day's models.
    """

    days: tuple[DayFiles, ...]

    def __call__(self, features: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Predict a batch: the columns of user_features, and `dt`, their day."""
        files = {one.as_of: one for one in self.days}
        for day, rows in features.groupby("dt"):
            yield predict(rows, load_day(files[pd.Timestamp(str(day)).date()]))


@lru_cache(maxsize=_KEPT_DAYS)  # a process gets many batches of a day
def load_day(files: DayFiles) -> DayModels:
    """The models in files.

    Raises:
        InputError: a card or a model is damaged.
    """
    return DayModels(
        files.as_of,
        clusters=_loaded(files.clusters, ClusterCard, files.as_of),
        churn=_loaded(files.churn, ModelCard, files.as_of),
        payment=_loaded(files.payment, ModelCard, files.as_of),
    )


def _loaded(file: ModelFile | None, kind: type[AnyCard], as_of: dt.date) -> Model[AnyCard] | None:
    if file is None:
        return None
    return load_model(file.onnx, read_card(kind, file.card, f"of {as_of}"))


def with_clusters(features: pd.DataFrame, clusters: Model[ClusterCard] | None) -> pd.DataFrame:
    """Features with the column `cluster` of a cluster model; missing where there is none."""
    if clusters is None:
        return features.assign(cluster=pd.array([pd.NA] * len(features), dtype="Int64"))
    return features.assign(cluster=pd.array(assign(clusters, features)[0], dtype="Int64"))


def predict(features: pd.DataFrame, models: DayModels) -> pd.DataFrame:
    """Predict for each user of a features frame.

    Args:
        features: Features frame of any number of users, not necessarily of the models' day.
        models: The models to apply.

    Returns:
        The columns of `PREDICTIONS`; a probability without a model is missing, as is a cluster.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    known = with_clusters(features, models.clusters)
    return pd.DataFrame(
        {
            "user_id": known["user_id"],
            "as_of": models.as_of,
            "churn_probability": _probability(models.churn, known),
            "payment_probability": _probability(models.payment, known),
            "cluster": known["cluster"],
            "cluster_name": known["cluster"].map(_names(models.clusters)),
            "churn_model": _version(models.churn),
            "payment_model": _version(models.payment),
            "cluster_model": _version(models.clusters),
        }
    )[PREDICTIONS.names]


def _probability(model: Model[ModelCard] | None, features: pd.DataFrame) -> object:
    return None if model is None else probabilities(model, features)


def _names(clusters: Model[ClusterCard] | None) -> dict[int, str]:
    if clusters is None:
        return {}
    return {one.id: one.name for one in clusters.card.clusters}


def _version(model: Model[Any] | None) -> str | None:
    return None if model is None else model.card.version
