"""Small boosted trees, and matrices as they read them."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.learning.boosted_trees import BoostedTrees, fit_trees
from ds_assets.core.models.learning.calibration import Calibration
from ds_assets.core.models.learning.learner import FittedClassifier
from ds_assets.core.models.learning.linear_model import LinearModel


def make_matrix(rows: int, seed: int = 0) -> NDArray[np.float32]:
    """Values as features have them: continuous, tied, constant, enormous and missing ones."""
    chance = np.random.default_rng(seed)
    matrix = np.column_stack(
        [
            chance.normal(size=(rows, 4)),
            chance.integers(0, 4, (rows, 4)),
            np.ones(rows),
            chance.choice([-1e38, -1e-40, 0.0, 1e-40, 1e38], rows),
            np.full(rows, np.nan),
        ]
    ).astype(np.float32)
    missing = chance.random(matrix.shape) < 0.2
    missing[:, [0, 1, 8]] = False
    matrix[missing] = np.nan
    return matrix


def make_trees(
    seed: int = 0,
    objective: Literal["binary", "regression"] = "binary",
    rows: int = 1_000,
    matrix: NDArray[np.float32] | None = None,
    **parameters: float,
) -> BoostedTrees:
    """Boosted trees that learnt from `make_matrix`, or from a given one."""
    inputs = make_matrix(rows, seed) if matrix is None else matrix
    chance = np.random.default_rng([seed, 1])
    filled = np.nan_to_num(inputs[:, :8])
    score = filled[:, 0] * filled[:, 4] + filled[:, 2] - np.isnan(inputs[:, 5]) + filled[:, 6]
    score = score + chance.normal(size=len(inputs))
    chosen = {"num_iterations": 30, "num_leaves": 12, "max_depth": 5, **parameters}
    outcomes = score if objective == "regression" else score > np.quantile(score, 0.6)
    return fit_trees(objective, inputs, outcomes, {"feature_fraction_bynode": 0.5, **chosen}, seed)


def make_classifier(
    trees: BoostedTrees, slope: float = 1.0, intercept: float = 0.0
) -> FittedClassifier:
    """A classifier of boosted trees alone, with a calibration."""
    nothing = np.zeros(len(trees.usual))
    linear = LinearModel(nothing, nothing, nothing, nothing, 0.0)
    return FittedClassifier(trees, linear, (), 0.0, Calibration(slope=slope, intercept=intercept))
