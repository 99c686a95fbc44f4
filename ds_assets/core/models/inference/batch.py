"""A day's models applied to features frames of any size: a row for each active user.

Scope: which model gives which column; where models and features come from is elsewhere.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ds_assets.closed_days import NO_CLOSED_DAYS, Closed, ClosedDays
from ds_assets.core.cards import ModelFiles, read_card
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.encoding import USER_GROUP
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.data.event_histories import Columns
from ds_assets.core.models.data.populations import in_population
from ds_assets.core.models.inference.onnx_model import (
    Model,
    PredictionModel,
    amounts,
    assign,
    explain,
    load_model,
    load_prediction_model,
    predict_days_left,
    predict_spend,
    probabilities,
)
from ds_assets.core.models.learning.early_model import EarlyCard, predict_early
from ds_assets.core.open_days import count_open_days, find_open_day
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.targets import BUILT_IN, EXPECTED_SPEND, SPEND_HIGH, SPEND_LOW, Target
from ds_assets.core.user_groups import NO_GROUPS, with_user_groups

AGO = "days_since_active"
_KEPT_DAYS = 8


@dataclass(frozen=True)
class TargetModel:
    """The card of a target on a day, and its model where there was enough data for one."""

    card: ModelCard
    model: PredictionModel | None

    @property
    def missing(self) -> str | None:
        """What data is missing, in words; None where there is a trained model."""
        return None if self.model is not None else self.card.missing

    @property
    def early(self) -> EarlyCard | None:
        """The early model, where it predicts; None where there is a trained one, or neither."""
        return self.card.early if self.model is None else None

    @property
    def version(self) -> str | None:
        """Version of the model that predicts; None where there is none."""
        if self.model is not None:
            return self.card.version
        return None if self.early is None else self.early.version


class TargetPredictions(NamedTuple):
    """What a target's model says, by user; None where there is no model, or none of amounts.

    Attributes:
        probabilities: Of a positive outcome.
        reasons: The strongest reasons of each, as JSON; None from an early model.
        amounts: Expected spend.
        spend_lows: Lower ends of the intervals of spend.
        spend_highs: Upper ends.
        lows: Lower ends of the intervals of early probabilities; None from a trained model.
        highs: Upper ends, likewise.
        days_left: Median of the days to a positive outcome; None from an early model.
    """

    probabilities: Any = None
    reasons: Any = None
    amounts: Any = None
    spend_lows: Any = None
    spend_highs: Any = None
    lows: Any = None
    highs: Any = None
    days_left: Any = None


@dataclass(frozen=True)
class DayModels:
    """The models of one day.

    Attributes:
        as_of: The day.
        clusters: The cluster model; None where there is none.
        targets: By the target's name; without those that not even have a card.
    """

    as_of: dt.date
    clusters: Model[ClusterCard] | None
    targets: Mapping[str, TargetModel]

    @property
    def user_groups(self) -> str:
        """Which users get models of their own, as `with_user_groups` wants it."""
        return next((model.card.user_groups for model in self.targets.values()), NO_GROUPS)

    @property
    def cluster_names(self) -> dict[int, str]:
        """Names of the clusters, by id."""
        return (
            {}
            if self.clusters is None
            else {cluster.id: cluster.name for cluster in self.clusters.card.clusters}
        )

    @property
    def same_for_all(self) -> dict[str, Any]:
        """What the columns of `PREDICTIONS` say that is the same for every user of the day."""
        return {
            "as_of": self.as_of,
            **{target.missing_column: self.missing(target) for target in BUILT_IN},
            **{target.model_column: self.version(target) for target in BUILT_IN},
            "cluster_model": None if self.clusters is None else self.clusters.card.version,
        }

    def of(self, target: Target) -> TargetModel | None:
        """What there is of a target as it is defined; None where there is nothing."""
        model = self.targets.get(target.name)
        return model if model is not None and model.card.definition == target.definition else None

    def missing(self, target: Target) -> str | None:
        """What data a target's trained model lacks, in words; None where there is one."""
        model = self.of(target)
        return "no model was made for the day" if model is None else model.missing

    def version(self, target: Target) -> str | None:
        """Version of the model that predicts a target; None where there is none."""
        model = self.of(target)
        return None if model is None else model.version


@dataclass(frozen=True)
class DayFiles:
    """The files of one day's models.

    Attributes:
        as_of: The day.
        clusters: Those of the cluster model; None where there is not even a card.
        targets: By the target's name; without those that not even have a card.
    """

    as_of: dt.date
    clusters: ModelFiles | None
    targets: tuple[tuple[str, ModelFiles], ...]


@dataclass(frozen=True)
class Predictor:
    """Predicts rows of features with the models of their day, in whichever process it finds itself.

    Attributes:
        days: Files of each day's models.
        declared: The game's features, for the words of the reasons.
        closed_days: The game's closed days, which features do not count.
    """

    days: tuple[DayFiles, ...]
    declared: tuple[FeatureColumn, ...]
    closed_days: ClosedDays = NO_CLOSED_DAYS

    def __call__(self, features: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Predict a batch: the columns of user_features, and `dt`, their day."""
        files = {day.as_of: day for day in self.days}
        for day, rows in features.groupby("dt"):
            models = load_day(files[pd.Timestamp(str(day)).date()])
            yield predict(rows, models, self.declared, self.closed_days)


@dataclass(frozen=True)
class TargetPredictor:
    """Predicts the rows of `TARGET_PREDICTIONS`, as `Predictor` does those of `PREDICTIONS`.

    Attributes:
        days: Files of each day's models.
        targets: What is predicted.
        declared: The game's features, for the words of the reasons.
    """

    days: tuple[DayFiles, ...]
    targets: tuple[Target, ...]
    declared: tuple[FeatureColumn, ...]

    def __call__(self, features: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Predict a batch: the columns of user_features, and `dt`, their day."""
        files = {day.as_of: day for day in self.days}
        for day, rows in features.groupby("dt"):
            models = load_day(files[pd.Timestamp(str(day)).date()])
            yield from predict_targets(rows, models, self.targets, self.declared)


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
        targets={name: _target(own, files.as_of) for name, own in files.targets},
    )


def _clusters(files: DayFiles) -> Model[ClusterCard] | None:
    if files.clusters is None or files.clusters.onnx is None:
        return None
    card = read_card(ClusterCard, files.clusters.card, f"of {files.as_of}")
    return load_model(files.clusters.onnx, card)


def _target(files: ModelFiles, as_of: dt.date) -> TargetModel:
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
    features: pd.DataFrame,
    models: DayModels,
    declared: Iterable[FeatureColumn],
    closed_days: Closed = NO_CLOSED_DAYS,
) -> pd.DataFrame:
    """Predict for each user of a features frame.

    Args:
        features: Features frame of any number of users, not necessarily of the models' day.
        models: The models to apply.
        declared: The game's features, for the words of the reasons.
        closed_days: The game's closed days, which features do not count.

    Returns:
        The columns of `PREDICTIONS`; a probability without a model is missing, as is a cluster.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    users = with_clusters(features, models.clusters)
    users = with_user_groups(users, models.user_groups)
    predicted = {
        name: _predict_target(model, users, declared) for name, model in models.targets.items()
    }
    return pd.DataFrame(
        {
            "user_id": users["user_id"],
            **models.same_for_all,
            "last_seen": pd.Series(
                last_seen(_ago(users), models.as_of, closed_days), index=users.index, dtype=object
            ),
            **target_columns(predicted),
            "cluster": users["cluster"],
            "cluster_name": users["cluster"].map(models.cluster_names),
            "user_group": users[USER_GROUP],
        }
    )[PREDICTIONS.names]


def predict_targets(
    features: pd.DataFrame,
    models: DayModels,
    targets: Iterable[Target],
    declared: Iterable[FeatureColumn],
) -> Iterator[pd.DataFrame]:
    """Predict targets of those users of a features frame that belong to their population.

    Args:
        features: Features frame of any number of users, not necessarily of the models' day.
        models: The models to apply.
        targets: What is predicted.
        declared: The game's features, for the words of the reasons.

    Yields:
        The columns of `TARGET_PREDICTIONS` for each target.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    users = with_clusters(features, models.clusters)
    for target in targets:
        own = users[in_population(users, target.population)]
        model = models.of(target)
        predicted = TargetPredictions() if model is None else _predict_target(model, own, declared)
        yield pd.DataFrame(
            {
                "as_of": models.as_of,
                "user_id": own["user_id"],
                "target": target.name,
                "probability": predicted.probabilities,
                "reasons": predicted.reasons,
                "missing": models.missing(target),
                "model": None if model is None else model.version,
                EXPECTED_SPEND: predicted.amounts,
                SPEND_LOW: predicted.spend_lows,
                SPEND_HIGH: predicted.spend_highs,
            }
        )


def target_columns(predicted: Mapping[str, TargetPredictions]) -> dict[str, Any]:
    """Columns of `PREDICTIONS` that differ from target to target.

    Args:
        predicted: What each target's model says, by the target's name.
    """
    columns: dict[str, Any] = {}
    for target in BUILT_IN:
        own = predicted.get(target.name, TargetPredictions())
        columns[target.probability_column] = own.probabilities
        columns[target.low_column], columns[target.high_column] = own.lows, own.highs
        columns[target.reasons_column] = own.reasons
        if target.amount_column is not None:
            columns[target.amount_column] = own.amounts
        if target.days_left_column is not None:
            columns[target.days_left_column] = own.days_left
    return columns


def last_seen(
    ago: Iterable[float], as_of: dt.date, closed_days: Closed = NO_CLOSED_DAYS
) -> list[dt.date | None]:
    """Day on which each user was last active; none where no such day can be.

    Args:
        ago: Open days since then; not a number where nobody knows.
        as_of: The day from which they count.
        closed_days: The closed days.
    """
    longest = count_open_days(dt.date.min, as_of, closed_days)
    return [
        find_open_day(as_of, int(days), closed_days) if 0 <= days < longest else None
        for days in ago
    ]


def _ago(features: pd.DataFrame) -> list[float]:
    days: list[float] = features[AGO].to_numpy(np.float64, na_value=np.nan).tolist()
    return days


def predict_with_early(target: TargetModel, features: Columns) -> TargetPredictions:
    """What a target's early model says; nothing where none predicts.

    Args:
        target: The target's models.
        features: Features frame, or the values of `early_model.FEATURES` by name.
    """
    if target.early is None:
        return TargetPredictions()
    early = predict_early(target.early, target.card.horizon, features)
    return TargetPredictions(
        early.probabilities,
        amounts=early.amounts,
        spend_lows=early.spend_low,
        spend_highs=early.spend_high,
        lows=early.low,
        highs=early.high,
    )


def _predict_target(
    target: TargetModel, features: pd.DataFrame, declared: Iterable[FeatureColumn]
) -> TargetPredictions:
    if target.model is None:
        return predict_with_early(target, features)
    predicted, likely = probabilities(target.model, features), amounts(target.model, features)
    days_left = predict_days_left(target.model, predicted)
    by_user = TargetPredictions(
        predicted,
        explain(target.model, features, declared).to_pylist(),
        *predict_spend(target.model, predicted, likely),
    )
    if days_left is None:
        return by_user
    return by_user._replace(days_left=pd.Series(days_left).astype("Int64").array)
