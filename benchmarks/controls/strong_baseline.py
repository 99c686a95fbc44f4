"""The strong simple baseline: the mean of a LightGBM and a logistic regression.

Scope: training on weekly snapshots of `histories`, and probabilities for the users that have
delivered predictions. No parameter is tuned to a game. Labels of training snapshots had matured on
the day of the prediction.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.controls.histories import (
    Flags,
    Floats,
    Histories,
    Ints,
    compute_features,
)

MAX_SNAPSHOTS = 26
"""Weekly snapshots to train on: half a year, where the log goes back as far."""
TREES, LEAVES, LEARNING_RATE = 200, 7, 0.05
PENALTY = 0.01
COMMON_NAME = 0.01
"""Least share of the rows with which a value of an attribute is a column of the regression."""


@dataclass(frozen=True)
class Task:
    """What is predicted.

    Attributes:
        target: churn or payment.
        horizon: Length of the label window, in open days.
        day: Day at whose end the predictions are made.
        users: Users to predict for, as places in the users of the histories.
    """

    target: str
    horizon: int
    day: dt.date
    users: Ints


@dataclass(frozen=True)
class Rows:
    """Training rows and the rows to predict for, with the same columns.

    Attributes:
        features: A row per user and training snapshot.
        labels: What happened to them.
        predicted: A row per user to predict for.
        names: Columns whose numbers are codes of texts.
    """

    features: pd.DataFrame
    labels: Flags
    predicted: pd.DataFrame
    names: list[str]


def baseline_probabilities(task: Task, histories: Histories) -> Floats:
    """Probabilities of the users of a task, in their order."""
    rows = build_rows(task, histories)
    return (_lightgbm(rows) + _logistic_regression(rows)) / 2


def build_rows(task: Task, histories: Histories) -> Rows:
    """The matured weekly snapshots, and the features of the users to predict for.

    Raises:
        ValueError: no snapshot has matured.
    """
    days = training_days(task, histories)
    if not days:
        raise ValueError(f"no label of {task.target} has matured on {task.day}")
    frames, labels = [], []
    for day in days:
        users = histories.active_on(day)
        frames.append(compute_features(histories, day, users))
        labels.append(histories.label(task.target, day, task.horizon, task.day)[users])
    predicted = compute_features(histories, task.day, task.users)
    features = pd.concat(frames, ignore_index=True).reindex(columns=predicted.columns)
    return Rows(features, np.concatenate(labels), predicted, list(histories.names))


def training_days(task: Task, histories: Histories) -> list[dt.date]:
    """The latest day whose labels had matured on the day of the prediction, and weeks before it."""
    game = histories.game
    limit = histories.open_number(task.day) - task.horizon - game.grace_days
    latest = task.day
    while histories.open_number(latest) > limit:
        latest -= dt.timedelta(1)
    days = (latest - dt.timedelta(weeks=number) for number in range(MAX_SNAPSHOTS))
    return sorted(day for day in days if day >= game.first_day)


def _lightgbm(rows: Rows) -> Floats:
    from lightgbm import LGBMClassifier  # noqa: PLC0415  # slow to import

    learner = LGBMClassifier(
        n_estimators=TREES,
        num_leaves=LEAVES,
        learning_rate=LEARNING_RATE,
        min_child_samples=50,
        subsample=0.7,
        subsample_freq=1,
        colsample_bytree=0.5,
        reg_lambda=5.0,
        n_jobs=1,
        random_state=0,
        deterministic=True,
        verbose=-1,
    )
    learner.fit(rows.features, rows.labels)
    chances: Any = learner.predict_proba(rows.predicted)
    return np.asarray(chances[:, 1])


def _logistic_regression(rows: Rows) -> Floats:
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415  # slow to import
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: PLC0415

    numbers = make_pipeline(
        SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    names = OneHotEncoder(handle_unknown="ignore", min_frequency=COMMON_NAME)
    columns = ColumnTransformer([("names", names, rows.names)], remainder=numbers)
    regression = LogisticRegression(C=PENALTY, solver="newton-cholesky")
    learner = make_pipeline(columns, regression)
    learner.fit(_on_log_scale(rows.features, rows), rows.labels)
    chances: Any = learner.predict_proba(_on_log_scale(rows.predicted, rows))
    return np.asarray(chances[:, 1])


def _on_log_scale(frame: pd.DataFrame, rows: Rows) -> pd.DataFrame:
    """Numbers within the range of the training rows, on a logarithmic scale: a line runs away."""
    numbers = frame.drop(columns=rows.names)
    low, high = rows.features[numbers.columns].min(), rows.features[numbers.columns].max()
    bounded = numbers.clip(low, high, axis=1)
    values = bounded.to_numpy(np.float64)
    logarithms = np.sign(values) * np.log1p(np.abs(values))
    columns = pd.DataFrame(logarithms, frame.index, bounded.columns)
    return pd.concat([frame[rows.names], columns], axis=1)
