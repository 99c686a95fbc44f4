"""A logistic regression on the logarithms of features: the smooth half of every model.

Scope: fitting it, and turning it into step functions that trees can hold. `learner.py` blends it
with boosted trees.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats, Labels

MAX_ROWS = 50_000
"""Most rows to fit on: more make neither a hundred weights nor a dozen steps noticeably better."""
BINS = 12
"""Steps per feature."""
_QUANTILES = tuple(
    NormalDist().cdf(NormalDist(sigma=2**0.5).inv_cdf(step / BINS)) for step in range(1, BINS)
)
"""Shares of the rows at or below the edges, denser in the tails, which steps of equally many rows
would flatten: a twelfth of the users would be one step. They minimise the mean absolute error for a
normally distributed contribution (Gersho, Asymptotically Optimal Block Quantization, 1979)."""
ROWS_PER_PENALTY = 250
"""Rows per unit of the ridge penalty, which grows with them: snapshots repeat their users, so there
are fewer independent observations than rows, and windows of the same measure overlap."""
_LARGEST = 5.0
"""Standardized values are clipped at this many standard deviations."""
_ITERATIONS = 100
_DECIMALS = 6


@dataclass(frozen=True)
class LinearModel:
    """Log-odds as a weighted sum; each array has one number per feature.

    Attributes:
        mean: Mean of sign(x) log(1 + |x|).
        deviation: Its standard deviation.
        weights: Weight of the standardized logarithm, clipped at ±5; 0 if it is missing.
        missing: Contribution of a missing value.
        intercept: Contribution to all rows.
        categories: For a column of codes, instead of its weight, the contributions of codes 0, 1
            and so on; of the last one, also those of all codes after it.
    """

    mean: Floats
    deviation: Floats
    weights: Floats
    missing: Floats
    intercept: float
    categories: Mapping[int, Floats] = field(default_factory=dict)

    def parts(self, matrix: NDArray[np.float32]) -> Floats:
        """Contribution of each feature to the log-odds, shape (rows, features)."""
        standard = (_logarithms(matrix) - self.mean) / self.deviation
        contributions = np.clip(standard, -_LARGEST, _LARGEST) * self.weights
        for place, values in self.categories.items():
            contributions[:, place] = values[_common_codes(matrix[:, place])]
        return np.where(np.isnan(standard), self.missing, contributions)

    def log_odds(self, matrix: NDArray[np.float32]) -> Floats:
        """Log-odds of each row, shape (rows,)."""
        return np.asarray(self.intercept + self.parts(matrix).sum(axis=1))


@dataclass(frozen=True)
class StepFunction:
    """Contribution of a feature to the log-odds as a step function.

    Attributes:
        feature: Column of the matrix.
        edges: Largest value of each step except the last, ascending, float32.
        values: Contribution of each step.
        rows: Training rows on each step, of those that it was made from.
        missing: Contribution of a missing value, and the number of training rows without a value;
            None if all had one, and a missing value then counts as a usual one.
        usual: The step of the median value.
    """

    feature: int
    edges: NDArray[np.float32]
    values: Floats
    rows: NDArray[np.intp]
    missing: tuple[float, int] | None
    usual: int

    def add(self, matrix: NDArray[np.float32]) -> Floats:
        """Contribution to each row, shape (rows,)."""
        column = matrix[:, self.feature]
        steps = self.values[np.searchsorted(self.edges, column, side="left").clip(max=self.last)]
        other = self.values[self.usual] if self.missing is None else self.missing[0]
        return np.where(np.isnan(column), other, steps)

    def times(self, factor: float) -> "StepFunction":
        """The same function, multiplied by a factor."""
        missing = None if self.missing is None else (factor * self.missing[0], self.missing[1])
        return replace(self, values=factor * self.values, missing=missing)

    @property
    def last(self) -> int:
        """The last step."""
        return len(self.values) - 1


def fit_linear(
    matrix: NDArray[np.float32], labels: Labels, categories: Sequence[int] = ()
) -> LinearModel:
    """Fit weights with a ridge penalty (Hoerl and Kennard, Ridge Regression, 1970).

    Args:
        matrix: Encoded features, shape (rows, features).
        labels: Labels with both outcomes, shape (rows,).
        categories: Columns of codes, of which the most frequent have a weight each.
    """
    from scipy.linalg import LinAlgWarning  # noqa: PLC0415  # slow to import
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    some = _some_rows(labels)
    rows = matrix[some]
    logarithms = _logarithms(rows)
    mean, deviation = _scale(logarithms)
    gaps: Labels = np.asarray(np.isnan(rows).any(axis=0))
    penalty = max(1.0, len(some) / ROWS_PER_PENALTY)
    _use_one_thread()
    learner = LogisticRegression(C=1 / penalty, max_iter=_ITERATIONS, solver="newton-cholesky")
    with warnings.catch_warnings():
        # weights of collinear features are not determined; any with the right sum will do
        warnings.simplefilter("ignore", LinAlgWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        standard = (logarithms - mean) / deviation
        learner.fit(_design(rows, standard, gaps, categories), labels[some])
    # the last digits depend on the number of threads
    coefficients = learner.coef_[0].round(_DECIMALS)
    weights, indicators, codes = np.split(coefficients, [len(gaps), len(gaps) + gaps.sum()])
    missing = np.zeros(len(gaps))
    missing[gaps] = indicators
    intercept = round(float(learner.intercept_[0]), _DECIMALS)
    of_codes = dict(zip(categories, codes.reshape(len(categories), BINS), strict=True))
    return LinearModel(mean, deviation, weights, missing, intercept, of_codes)


@cache
def _use_one_thread() -> None:
    """Limit linear algebra to one thread permanently, after its libraries are loaded.

    Its matrices are narrow, and on a busy machine waiting threads took several times as long. A
    limit for a while would apply to the whole process, and two fits side by side could restore a
    wrong one.
    """
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # noqa: PLC0415

    ThreadpoolController().limit(limits=1, user_api="blas")


def bin_contributions(model: LinearModel, matrix: NDArray[np.float32]) -> list[StepFunction]:
    """Turn the model into step functions: a step is the mean contribution to its training rows.

    Args:
        model: The model.
        matrix: Its training rows, shape (rows, features).
    """
    rows = matrix[:: _stride(len(matrix))]
    parts = model.parts(rows)
    steps = (
        _steps(place, rows[:, place], parts[:, place], place in model.categories)
        for place in range(rows.shape[1])
    )
    return [step for step in steps if step is not None]


def binned_contribution(steps: Sequence[StepFunction], matrix: NDArray[np.float32]) -> Floats:
    """Sum of the step functions for each row, shape (rows,)."""
    return np.sum([step.add(matrix) for step in steps], axis=0) if steps else np.zeros(len(matrix))


def _steps(
    feature: int, column: NDArray[np.float32], parts: Floats, is_code: bool
) -> StepFunction | None:
    """Step function of one feature; None if its contribution is the same for every row."""
    absent = np.isnan(column)
    present, added = column[~absent], parts[~absent]
    if not len(present) or (present.min() == present.max() and not absent.any()):
        return None
    edges = _edges_of_codes(present) if is_code else _edges(present)
    bins = np.searchsorted(edges, present, side="left")
    rows = np.bincount(bins, minlength=len(edges) + 1)
    values = np.bincount(bins, added, minlength=len(edges) + 1) / rows
    missing = (float(parts[absent][0]), int(absent.sum())) if absent.any() else None
    return StepFunction(feature, edges, values, rows, missing, int(np.median(bins)))


def _edges(present: NDArray[np.float32]) -> NDArray[np.float32]:
    quantiles = np.quantile(present, _QUANTILES, method="lower")
    return np.unique(quantiles[quantiles < present.max()])


def _edges_of_codes(present: NDArray[np.float32]) -> NDArray[np.float32]:
    """A step for each frequent code, and one for all others."""
    return np.unique(present.clip(max=BINS - 1))[:-1]


def _common_codes(column: NDArray[np.float32]) -> NDArray[np.intp]:
    """Codes, which are ranks by frequency, with all rare ones as one; 0 for a missing one."""
    return np.nan_to_num(column).clip(0, BINS - 1).astype(np.intp)


def _some_rows(labels: Labels) -> NDArray[np.intp]:
    """Evenly spaced rows that include both outcomes; all rows if there are few."""
    every = np.arange(len(labels))
    some = every[:: _stride(len(labels))]
    return some if labels[some].any() and not labels[some].all() else every


def _stride(rows: int) -> int:
    """Distance of evenly spaced rows that are at most `MAX_ROWS`."""
    return max(1, -(-rows // MAX_ROWS))


def _logarithms(matrix: NDArray[np.float32]) -> Floats:
    values = matrix.astype(np.float64)
    return np.sign(values) * np.log1p(np.abs(values))


def _scale(logarithms: Floats) -> tuple[Floats, Floats]:
    present = ~np.isnan(logarithms)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, logarithms, 0.0).sum(axis=0) / count
    deviation = np.sqrt((np.where(present, logarithms - mean, 0.0) ** 2).sum(axis=0) / count)
    return mean, np.where(deviation > 0, deviation, 1.0)


def _design(
    matrix: NDArray[np.float32], standard: Floats, gaps: Labels, categories: Sequence[int]
) -> Floats:
    """Standardized logarithms, indicators of missing values for features with gaps, and of codes.

    Columns of codes have no logarithm: zeros take its place.
    """
    missing = np.isnan(standard)
    filled = np.clip(np.where(missing, 0.0, standard), -_LARGEST, _LARGEST)
    filled[:, list(categories)] = 0.0
    indicators = [
        np.eye(BINS)[_common_codes(matrix[:, place])] * ~missing[:, [place]] for place in categories
    ]
    return np.hstack([filled, missing[:, gaps].astype(np.float64), *indicators])
