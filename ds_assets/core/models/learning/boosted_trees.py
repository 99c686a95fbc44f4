"""Boosted trees, as LightGBM fits them.

Ke and others, LightGBM: A Highly Efficient Gradient Boosting Decision Tree, 2017.

Scope: fitting trees and adding them up. `learner.py` has their hyperparameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats, Labels, Matrix
from ds_assets.errors import InputError

FEW_ROWS = 20_000
"""Below this, threads save little, and on a busy machine they wait longer than they work."""
USUAL_ROWS = 10_000
"""Rows of which usual values are the medians."""
_REPEATABLE = {"deterministic": True, "force_row_wise": True}
"""Trees depend neither on the number of threads nor on a trial of which layout is faster."""
_SILENT = {"verbosity": -1}

HyperParameters = Mapping[str, int | float]


@dataclass(frozen=True)
class BoostedTrees:
    """Fitted trees, which add up to log-odds or to a number.

    Attributes:
        booster: lightgbm's Booster.
        base: What the trees are added to: the training rows' log-odds or mean.
        usual: Median of each column in which no training row lacked a value: it stands for a value
            that is missing later. Not a number for the other columns, of which the trees have
            learnt what a missing value means; shape (features,).
    """

    booster: Any
    base: float
    usual: NDArray[np.float32]

    def sums(self, matrix: Matrix) -> Floats:
        """Base and trees added up, shape (rows,)."""
        if not len(matrix):
            return np.empty(0)
        is_unusual = np.isnan(matrix) & ~np.isnan(self.usual)
        rows = np.where(is_unusual, self.usual, matrix) if is_unusual.any() else matrix
        trees = self.booster.predict(rows, raw_score=True, num_threads=_threads(len(rows)))
        return np.asarray(self.base + trees)


def fit_trees(
    objective: Literal["binary", "regression"],
    matrix: Matrix,
    outcomes: Labels | Floats,
    hyper_parameters: HyperParameters,
    seed: int,
) -> BoostedTrees:
    """Fit trees for the log-odds of a label or for the mean of a number.

    Args:
        objective: LightGBM's name of the loss.
        matrix: Encoded features, shape (rows, features).
        outcomes: Labels with both outcomes, or numbers, shape (rows,).
        hyper_parameters: By LightGBM's names, the number of trees as num_iterations.
        seed: Makes training repeatable.
    """
    lightgbm = _lightgbm()
    mean = float(outcomes.mean())
    base = float(np.log(mean / (1 - mean))) if objective == "binary" else mean
    settings = {
        **hyper_parameters,
        **_REPEATABLE,
        **_SILENT,
        "objective": objective,
        "seed": seed,
        "num_threads": _threads(len(matrix)),
    }
    trees = settings.pop("num_iterations")
    rows = lightgbm.Dataset(matrix, outcomes, init_score=np.full(len(matrix), base))
    return BoostedTrees(lightgbm.train(settings, rows, trees), base, _usual_values(matrix))


def _lightgbm() -> Any:
    try:
        import lightgbm  # noqa: PLC0415  # slow to import
    except OSError as error:  # its library is linked with the system's, which slim images lack
        raise InputError(
            f"LightGBM, which fits the models, cannot be loaded: {error}; "
            "install the OpenMP library (libgomp1 on Debian and Ubuntu, libomp on macOS)"
        ) from None
    return lightgbm


def _threads(rows: int) -> int:
    """One thread for few rows, else as many as a container may use.

    LightGBM itself would start as many as its host has processors.
    """
    from joblib import cpu_count  # noqa: PLC0415  # slow to import

    return 1 if rows < FEW_ROWS else int(cpu_count())


def _usual_values(matrix: Matrix) -> NDArray[np.float32]:
    some = matrix[:: max(1, len(matrix) // USUAL_ROWS)]
    medians = np.quantile(some, 0.5, axis=0, method="lower")
    return np.where(np.isnan(matrix).any(axis=0), np.float32(np.nan), medians)
