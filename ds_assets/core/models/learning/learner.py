"""The learner: boosted trees blended with a linear model as step functions, which are trees too.

Trees find interactions of features, a linear model is more certain of their single effects, and the
mean of both predicts better than either (Clemen, Combining forecasts, 1989).

Scope: from encoded rows to fitted trees.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats, Labels, Matrix
from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.learning.boosted_trees import BoostedTrees, fit_trees
from ds_assets.core.models.learning.calibration import (
    LEVEL_SNAPSHOTS,
    UNCHANGED,
    Calibration,
    fit_intercept,
)
from ds_assets.core.models.learning.linear_model import (
    LinearModel,
    StepFunction,
    bin_contributions,
    binned_contribution,
    fit_linear,
)

MIN_LEAF_ROWS = 20
LEAF_SHARE = 200
"""A leaf has at least one in this many rows: snapshots repeat their users, so there are fewer
independent observations than rows."""

HYPER_PARAMETERS: dict[str, int | float] = {
    "learning_rate": 0.1,
    "num_leaves": 8,
    "max_depth": 5,
    "lambda_l2": 5.0,
    "feature_fraction_bynode": 0.5,
}
"""Small, slowly learning, regularised trees: on later snapshots they beat larger and faster ones
for few users, lose nothing for many, and are cheap to apply and to explain."""
TREES, TREES_OF_MANY_ROWS = 40, 100
MANY_ROWS = 20_000
"""More than `TREES` trees are better from so many rows on; for a quarter of them they are worse."""

MAX_LEVEL_ROWS = 50_000
"""Rows beyond which a level is more exact than weeks are alike."""
LINEAR_SHARE = 0.5
"""Share of the linear model in the blend: neither is known to be better in advance."""
OWN_SHARES = (0.5, 1.0)
"""Weights of a model of a group's rows that are tried beside the model of all rows."""


class Classifier(ABC):
    """A model of the probability of a label, with a calibration of its log-odds.

    Attributes:
        line: The calibration.
    """

    line: Calibration

    @property
    @abstractmethod
    def parts(self) -> Sequence[tuple["FittedClassifier", float]]:
        """The fitted models that it consists of, each with its weight in the log-odds."""

    def raw(self, matrix: Matrix) -> Floats:
        """Log-odds before calibration, shape (rows,)."""
        odds: Floats = np.sum([weight * part.learnt(matrix) for part, weight in self.parts], axis=0)
        return odds

    def log_odds(self, matrix: Matrix) -> Floats:
        """Calibrated log-odds of the positive class, shape (rows,)."""
        return self.line.log_odds(self.raw(matrix))

    @abstractmethod
    def with_line(self, line: Calibration) -> Self:
        """The same with another calibration."""

    def calibrated(self, training: Rows, slope: float = 1.0) -> Self:
        """The same with a slope, at the level of the latest of its training rows."""
        recent = _select_recent(training)
        raw = slope * self.raw(recent.matrix)
        intercept = fit_intercept(raw, recent.labels, recent.ages)
        return self.with_line(Calibration(slope=slope, intercept=intercept))


@dataclass(frozen=True)
class FittedClassifier(Classifier):
    """Fitted trees for the probability of a label.

    Attributes:
        learner: The boosted trees.
        linear: The linear model of the same rows.
        steps: The linear model as step functions.
        share: Share of the step functions in the log-odds.
        line: Calibration of the log-odds.
    """

    learner: BoostedTrees
    linear: LinearModel
    steps: tuple[StepFunction, ...]
    share: float
    line: Calibration = UNCHANGED

    @property
    def parts(self) -> Sequence[tuple["FittedClassifier", float]]:
        """The model itself."""
        return ((self, 1.0),)

    def learnt(self, matrix: Matrix) -> Floats:
        """Log-odds as they were learnt, shape (rows,)."""
        linear = self.linear.intercept + binned_contribution(self.steps, matrix)
        return (1 - self.share) * self.learner.sums(matrix) + self.share * linear

    def with_line(self, line: Calibration) -> Self:
        """The same with another calibration."""
        return replace(self, line=line)

    def with_linear_share(self, share: float) -> Self:
        """The same with another share of the linear model, uncalibrated."""
        return replace(self, share=share, line=UNCHANGED)


@dataclass(frozen=True)
class GroupClassifier(Classifier):
    """A weighted mean of a model of a group's rows and of the model of all rows.

    The former knows what is different about the group, and is noisy because it has few rows; the
    latter is the opposite. Their mean is partial pooling (Gelman and Hill, Data Analysis Using
    Regression and Multilevel Models, 2007, chapter 12).

    Attributes:
        own: Model of the group's rows.
        whole: Model of all rows.
        own_share: Weight of the former, up to 1.
        line: Calibration of the log-odds.
    """

    own: FittedClassifier
    whole: FittedClassifier
    own_share: float
    line: Calibration = UNCHANGED

    @property
    def parts(self) -> Sequence[tuple[FittedClassifier, float]]:
        """The models that have a weight."""
        others = ((self.whole, 1 - self.own_share),) if self.own_share < 1 else ()
        return ((self.own, self.own_share), *others)

    def with_line(self, line: Calibration) -> Self:
        """The same with another calibration."""
        return replace(self, line=line)


def _select_recent(training: Rows) -> Rows:
    """Rows of the latest snapshots, or all rows where those have one outcome alone."""
    latest = training.ages < LEVEL_SNAPSHOTS
    step = max(1, -(-int(latest.sum()) // MAX_LEVEL_ROWS))
    recent = training.chosen(latest & (np.arange(len(latest)) % step == 0))
    return recent if recent.labels.any() and not recent.labels.all() else training


@dataclass(frozen=True)
class FittedRegressor:
    """Fitted trees for the mean of a number.

    Attributes:
        learner: The trees.
    """

    learner: BoostedTrees

    def values(self, matrix: Matrix) -> Floats:
        """Expected value, shape (rows,)."""
        return self.learner.sums(matrix)


def hyper_parameters(rows: int) -> dict[str, int | float]:
    """Hyperparameters of LightGBM for a number of training rows."""
    return {
        **HYPER_PARAMETERS,
        "num_iterations": TREES if rows < MANY_ROWS else TREES_OF_MANY_ROWS,
        "min_data_in_leaf": max(MIN_LEAF_ROWS, rows // LEAF_SHARE),
    }


def fit_classifier(
    matrix: Matrix,
    labels: Labels,
    share: float,
    seed: int,
    max_rows: int | None = None,
    categories: Sequence[int] = (),
) -> FittedClassifier:
    """Fit trees for the probability of a label.

    With more than `max_rows` rows, the model is fitted to a sample that keeps the rarer label as
    far as possible, and its log-odds are corrected for that (King and Zeng, Logistic Regression in
    Rare Events Data, 2001, section 4.1).

    Args:
        matrix: Encoded features, shape (rows, features).
        labels: Labels with both outcomes, shape (rows,).
        share: Share of the linear model in the log-odds.
        seed: Makes training repeatable.
        max_rows: Rows to fit to at most; none: all.
        categories: Columns of codes, whose order means nothing to the linear model.
    """
    if max_rows is not None and len(labels) > max_rows:
        kept, correction = _balanced_sample(labels, max_rows, seed)
        fitted = fit_classifier(matrix[kept], labels[kept], share, seed, categories=categories)
        return _shift(fitted, correction)
    learner = fit_trees("binary", matrix, labels, hyper_parameters(len(matrix)), seed)
    linear = fit_linear(matrix, labels, categories)
    return FittedClassifier(learner, linear, tuple(bin_contributions(linear, matrix)), share)


def _balanced_sample(labels: Labels, max_rows: int, seed: int) -> tuple[NDArray[np.intp], float]:
    """Rows of which at most half have the commoner label, if the rarer one has as many.

    Returns:
        Their places, ascending, and what has to be added to log-odds that are learnt from them.
    """
    generator = np.random.default_rng(seed)
    positives, negatives = np.flatnonzero(labels), np.flatnonzero(~labels)
    half = max_rows // 2
    positive_rows = min(len(positives), max(half, max_rows - len(negatives)))
    kept = [
        generator.choice(rows, count, replace=False)
        for rows, count in ((positives, positive_rows), (negatives, max_rows - positive_rows))
    ]
    shares = len(kept[0]) / len(positives), len(kept[1]) / len(negatives)
    return np.sort(np.concatenate(kept)), float(np.log(shares[1] / shares[0]))


def _shift(fitted: FittedClassifier, correction: float) -> FittedClassifier:
    learner = replace(fitted.learner, base=fitted.learner.base + correction)
    linear = replace(fitted.linear, intercept=fitted.linear.intercept + correction)
    return replace(fitted, learner=learner, linear=linear)


def fit_regressor(matrix: Matrix, values: Floats, seed: int) -> FittedRegressor:
    """Fit trees for the mean of a number."""
    parameters = hyper_parameters(len(matrix))
    return FittedRegressor(fit_trees("regression", matrix, values, parameters, seed))
