"""One row for each active user: the day's models applied to the day's features.

Belongs here: which model gives which column. Where models and features come from is not.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.core.cards import ModelFiles, read_card
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.encoding import USER_GROUP
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.data.user_groups import NO_GROUPS, with_user_groups
from ds_assets.core.models.inference.onnx_model import (
    Model,
    PredictionModel,
    amounts,
    assign,
    explain,
    load_model,
    load_prediction_model,
    probabilities,
)
from ds_assets.core.tables import PREDICTIONS

AGO = "days_since_active"
_KEPT_DAYS = 8


@dataclass(frozen=True)
class TargetModel:
    """What there is of a target on a day: a card, and a model where there was enough data."""

    card: ModelCard
    model: PredictionModel | None


@dataclass(frozen=True)
class DayModels:
    """The models of one day; None where there is not even a card, or no cluster model."""

    as_of: dt.date
    clusters: Model[ClusterCard] | None
    churn: TargetModel | None
    payment: TargetModel | None

    @property
    def user_groups(self) -> str:
        """Whom models of their own are made for, as `with_user_groups` wants it."""
        known = [one.card.user_groups for one in (self.churn, self.payment) if one is not None]
        return known[0] if known else NO_GROUPS

    @property
    def cluster_names(self) -> dict[int, str]:
        """Names of the clusters, by id."""
        return (
            {}
            if self.clusters is None
            else {one.id: one.name for one in self.clusters.card.clusters}
        )

    @property
    def same_for_all(self) -> dict[str, Any]:
        """What the columns of `PREDICTIONS` say that is the same for every user of the day."""
        return {
            "as_of": self.as_of,
            "churn_missing": _missing(self.churn),
            "payment_missing": _missing(self.payment),
            "churn_model": _version(self.churn),
            "payment_model": _version(self.payment),
            "cluster_model": None if self.clusters is None else self.clusters.card.version,
        }


@dataclass(frozen=True)
class DayFiles:
    """The files of one day's models; None where there is not even a card."""

    as_of: dt.date
    clusters: ModelFiles | None
    churn: ModelFiles | None
    payment: ModelFiles | None


@dataclass(frozen=True)
class Predictor:
    """Predicts rows of features with the models of their day, in whichever process it finds itself.

    Attributes:
        days: Files of each day's models.
        declared: The game's features, for the words of the reasons.
    """

    days: tuple[DayFiles, ...]
    declared: tuple[FeatureColumn, ...]

    def __call__(self, features: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Predict a batch: the columns of user_features, and `dt`, their day."""
        files = {one.as_of: one for one in self.days}
        for day, rows in features.groupby("dt"):
            yield predict(rows, load_day(files[pd.Timestamp(str(day)).date()]), self.declared)


@lru_cache(maxsize=_KEPT_DAYS)  # a process gets many batches of a day
def load_day(files: DayFiles) -> DayModels:
    """What `load_models` loads, which is kept."""
    return load_models(files)


def load_models(files: DayFiles) -> DayModels:
    """The models in files.

    Raises:
        InputError: a card or a model is damaged.
    """
    return DayModels(
        files.as_of,
        clusters=_clusters(files),
        churn=_target(files.churn, files.as_of),
        payment=_target(files.payment, files.as_of),
    )


def _clusters(files: DayFiles) -> Model[ClusterCard] | None:
    if files.clusters is None or files.clusters.onnx is None:
        return None
    card = read_card(ClusterCard, files.clusters.card, f"of {files.as_of}")
    return load_model(files.clusters.onnx, card)


def _target(files: ModelFiles | None, as_of: dt.date) -> TargetModel | None:
    if files is None:
        return None
    card = read_card(ModelCard, files.card, f"of {as_of}")
    if files.onnx is None:
        return TargetModel(card, None)
    return TargetModel(card, load_prediction_model(files.onnx, dict(files.parts), card))


def with_clusters(features: pd.DataFrame, clusters: Model[ClusterCard] | None) -> pd.DataFrame:
    """Features with the column `cluster` of a cluster model; missing where there is none."""
    if clusters is None:
        return features.assign(cluster=pd.array([pd.NA] * len(features), dtype="Int64"))
    return features.assign(cluster=pd.array(assign(clusters, features)[0], dtype="Int64"))


def predict(
    features: pd.DataFrame, models: DayModels, declared: Iterable[FeatureColumn]
) -> pd.DataFrame:
    """Predict for each user of a features frame.

    Args:
        features: Features frame of any number of users, not necessarily of the models' day.
        models: The models to apply.
        declared: The game's features, for the words of the reasons.

    Returns:
        The columns of `PREDICTIONS`; a probability without a model is missing, as is a cluster.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    known = with_clusters(features, models.clusters)
    known = with_user_groups(known, models.user_groups)
    pays = _probabilities(models.payment, known)
    return pd.DataFrame(
        {
            "user_id": known["user_id"],
            **models.same_for_all,
            "last_seen": pd.Series(
                last_seen(_ago(known), models.as_of), index=known.index, dtype=object
            ),
            "churn_probability": _probabilities(models.churn, known),
            "payment_probability": pays,
            "expected_spend": _expected_spend(models.payment, known, pays),
            "cluster": known["cluster"],
            "cluster_name": known["cluster"].map(models.cluster_names),
            "user_group": known[USER_GROUP],
            "churn_reasons": _reasons(models.churn, known, declared),
            "payment_reasons": _reasons(models.payment, known, declared),
        }
    )[PREDICTIONS.names]


def last_seen(ago: Iterable[float], as_of: dt.date) -> list[dt.date | None]:
    """Day on which each user was last active; none where no such day can be.

    Args:
        ago: Days since then; not a number where nobody knows.
        as_of: The day from which they count.
    """
    return [as_of - dt.timedelta(one) if 0 <= one < as_of.toordinal() else None for one in ago]


def _ago(features: pd.DataFrame) -> list[float]:
    found: list[float] = features[AGO].to_numpy(np.float64, na_value=np.nan).tolist()
    return found


def _probabilities(
    target: TargetModel | None, features: pd.DataFrame
) -> NDArray[np.float64] | None:
    if target is None or target.model is None:
        return None
    return probabilities(target.model, features)


def _expected_spend(
    payment: TargetModel | None, features: pd.DataFrame, pays: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    if payment is None or payment.model is None or pays is None:
        return None
    found = amounts(payment.model, features)
    return None if found is None else pays * found


def _reasons(
    target: TargetModel | None, features: pd.DataFrame, declared: Iterable[FeatureColumn]
) -> list[str] | None:
    if target is None or target.model is None:
        return None
    found: list[str] = explain(target.model, features, declared).to_pylist()
    return found


def _missing(target: TargetModel | None) -> str | None:
    """What data is missing, in words; None where there is a model."""
    if target is None:
        return "no model was made for the day"
    return None if target.model is not None else target.card.missing


def _version(target: TargetModel | None) -> str | None:
    return None if target is None or target.model is None else target.card.version
