"""A Cox model of when users leave, on features of the control's own.

Cox, Regression Models and Life-Tables, 1972. Scope: training on weekly snapshots of `histories`, as
they were known on the day of the prediction, and scores for its users.
"""

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.controls.departures import find_departures
from benchmarks.controls.histories import Floats, Histories, compute_features
from benchmarks.controls.strong_baseline import Task, training_days

SNAPSHOTS = 8
"""Every second or third of the weekly snapshots: neighbours hardly differ."""
MAX_ROWS = 10_000
EXPLAINED = 0.999
"""Share of the variance of the features that their principal components keep: the features overlap,
and the model has no penalty."""


def cox_scores(task: Task, histories: Histories) -> Floats:
    """Log of the relative hazard of the users of a task, in their order.

    Args:
        task: The users; its target is churn.
        histories: The log.
    """
    from sklearn.decomposition import PCA  # noqa: PLC0415  # slow to import
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415
    from statsmodels.duration.hazard_regression import PHReg  # noqa: PLC0415

    features, days, has_left = _training_rows(task, histories)
    scale = make_pipeline(
        SimpleImputer(add_indicator=True), StandardScaler(), PCA(EXPLAINED, whiten=True)
    )
    kept = np.random.default_rng(0).permutation(len(features))[:MAX_ROWS]
    matrix = scale.fit_transform(_on_log_scale(features.iloc[kept]))
    # The first day has number 1: users who have left already are events, too.
    fitted: Any = PHReg(days[kept] + 1, matrix, has_left[kept], ties="efron").fit()
    predicted = compute_features(histories, task.day, task.users)
    own = predicted.reindex(columns=features.columns)
    bounded = own.clip(features.min(), features.max(), axis=1)
    return np.asarray(scale.transform(_on_log_scale(bounded)) @ fitted.params)


def _training_rows(task: Task, histories: Histories) -> tuple[pd.DataFrame, Floats, Floats]:
    """Features of snapshots, and when their users left, as known on the day of the task."""
    listed = training_days(task, histories)
    frames, days, has_left = [], [], []
    for day in listed[:: max(1, len(listed) // SNAPSHOTS)]:
        users = histories.active_on(day)
        departures = find_departures(histories, users, day, task.horizon, task.day)
        frames.append(compute_features(histories, day, users))
        days.append(departures.days)
        has_left.append(departures.has_left)
    features = pd.concat(frames, ignore_index=True).drop(columns=list(histories.names))
    return (
        features.dropna(axis=1, how="all"),
        np.concatenate(days).astype(np.float64),
        np.concatenate(has_left).astype(np.float64),
    )


def _on_log_scale(frame: pd.DataFrame) -> Floats:
    values = frame.to_numpy(np.float64)
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
