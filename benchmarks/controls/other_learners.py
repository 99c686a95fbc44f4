"""Other learners on the same snapshots: a tuned LightGBM and a logistic regression.

Scope: learners that get the same rows as the project's models and share none of its training code.
They are tuned inside the training window only, on folds in time order.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.validation import Flags, Floats, Judge, area
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.encoding import encode, fit_encoding
from ds_assets.core.labels import matured_snapshots
from ds_assets.core.models.inference.batch import with_clusters
from ds_assets.core.targets import targets_of
from ds_assets.infra.lake.models import day_model

Matrix: TypeAlias = npt.NDArray[np.float32]
Learner: TypeAlias = Callable[[Matrix, Flags, Matrix], Floats]
"""Trains on rows and their labels, and says a probability of each of other rows."""

TRIES = 30
FOLDS = 4
THREADS = 1
"""More would wait for each other longer than they work: the demo has some 24,000 rows."""


@dataclass(frozen=True)
class Rows:
    """What a day's models are trained on and applied to.

    Attributes:
        matrix: Features of the training rows, missing as NaN.
        labels: What happened to them.
        snapshot: Number of each row's snapshot, ascending in time, a week apart.
        weeks: Weeks from a snapshot until its labels are known.
        predicted: Features of the users to predict for, users ascending.
        categories: Columns whose numbers are names.
        names: The features, in order.
    """

    matrix: Matrix
    labels: Flags
    snapshot: npt.NDArray[np.int64]
    weeks: int
    predicted: Matrix
    categories: list[int]
    names: list[str]

    def folds(self) -> Iterator[tuple[Flags, Flags]]:
        """Rows to train on and to validate on; the former had matured by the day of the latter."""
        latest = int(self.snapshot.max())
        for number in range(max(self.weeks, latest - FOLDS + 1), latest + 1):
            yield self.snapshot <= number - self.weeks, self.snapshot == number


def rows_of(target: str, day: dt.date, judge: Judge) -> Rows:
    """The rows that the model of a day is trained on."""
    declared = targets_of(judge.game)[target]
    horizon = declared.horizon
    clusters = day_model("clusters", day, ClusterCard, judge.lake)
    days = matured_snapshots(day, horizon, declared.max_snapshots, judge.game)
    frames = [with_clusters(judge.features(snapshot), clusters) for snapshot in days]
    encoding = fit_encoding(frames)
    sizes = [len(frame) for frame in frames]
    return Rows(
        matrix=np.concatenate([encode(frame, encoding) for frame in frames]),
        labels=np.concatenate([judge.labels(target, snapshot) for snapshot in days]),
        snapshot=np.repeat(np.arange(len(days)), sizes),
        weeks=-(-judge.game.maturity_days(horizon) // 7),
        predicted=encode(with_clusters(judge.features(day), clusters), encoding),
        categories=list(encoding.categorical),
        names=encoding.names,
    )


def tuned_lightgbm(rows: Rows) -> Floats:
    """Probabilities of LightGBM after a random search.

    Bergstra and Bengio, Random Search for Hyper-Parameter Optimization, 2012.
    """
    rng = np.random.default_rng(0)
    return _best([partial(_lightgbm, _drawn(rng, rows.categories)) for _ in range(TRIES)], rows)


def logistic_regression(rows: Rows) -> Floats:
    """Probabilities of a logistic regression with a tuned penalty."""
    strengths = (0.001, 0.01, 0.1, 1.0)
    return _best([partial(_logistic, strength, rows.categories) for strength in strengths], rows)


def _best(learners: Sequence[Learner], rows: Rows) -> Floats:
    """What the learner says, trained on all rows, that has the largest mean area over the folds."""
    folds = list(rows.folds())
    scores = [
        np.mean(
            [
                area(
                    rows.labels[late],
                    learn(rows.matrix[early], rows.labels[early], rows.matrix[late]),
                )
                for early, late in folds
            ]
        )
        for learn in learners
    ]
    return learners[int(np.argmax(scores))](rows.matrix, rows.labels, rows.predicted)


def _drawn(rng: np.random.Generator, categories: list[int]) -> dict[str, Any]:
    return {
        "n_estimators": int(rng.integers(50, 600)),
        "learning_rate": float(np.exp(rng.uniform(np.log(0.01), np.log(0.1)))),
        "num_leaves": int(np.exp(rng.uniform(np.log(4), np.log(64)))),
        "min_child_samples": int(np.exp(rng.uniform(np.log(10), np.log(400)))),
        "reg_lambda": float(np.exp(rng.uniform(np.log(0.01), np.log(100)))),
        "colsample_bytree": float(rng.uniform(0.2, 1)),
        "subsample": float(rng.uniform(0.4, 1)),
        "categorical_feature": categories if rng.random() < 0.5 else [],
    }


def _lightgbm(
    parameters: dict[str, Any], matrix: Matrix, labels: Flags, predicted: Matrix
) -> Floats:
    from lightgbm import LGBMClassifier  # noqa: PLC0415  # slow to import

    options = dict(parameters)
    categories = options.pop("categorical_feature")
    fixed: dict[str, Any] = {
        "subsample_freq": 1,
        "random_state": 0,
        "n_jobs": THREADS,
        "verbose": -1,
    }
    learner = LGBMClassifier(**options, **fixed, deterministic=True)
    learner.fit(matrix, labels, categorical_feature=categories)
    chances: Any = learner.predict_proba(predicted)
    return np.asarray(chances[:, 1])


def _logistic(
    strength: float, categories: list[int], matrix: Matrix, labels: Flags, predicted: Matrix
) -> Floats:
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415  # slow to import
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import OneHotEncoder, QuantileTransformer  # noqa: PLC0415

    numbers = make_pipeline(
        SimpleImputer(add_indicator=True),
        QuantileTransformer(output_distribution="normal", random_state=0),
    )
    names = OneHotEncoder(handle_unknown="ignore", min_frequency=20)
    columns = ColumnTransformer([("names", names, categories)], remainder=numbers)
    learner = make_pipeline(columns, LogisticRegression(C=strength, max_iter=1000))
    return np.asarray(learner.fit(matrix, labels).predict_proba(predicted)[:, 1])
