"""Calibration: a line through a model's log-odds, whose level follows the latest outcomes.

The slope says how much of a model's differences between users came true; it hardly changes and is
learnt on a later snapshot than the model. The share of positives changes from week to week; the
intercept follows it. Both belong to the model that is applied: what a model of older snapshots got
wrong on the latest one says nothing about the level of a model that has learnt from that one too.

Scope: slope and intercept, given log-odds.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Labels

HALF_LIFE = 1.0
"""Snapshots after which an outcome counts half for the level: a longer one lags behind a game that
changes, a shorter one follows the noise of single weeks."""
LEVEL_SNAPSHOTS = 4
"""Snapshots that the level is fitted to: all earlier ones together would have a fifteenth of their
weight."""
_SLOPE_PENALTY = 400.0
"""Slopes are usually within 0.1 of 1: the inverse of the variance of that prior distribution."""
SLOPES = (0.8, 1.25)
"""Least and greatest slope: outside, relations have changed, which a newer model has learnt."""
_PRECISION = 1e-8
"""Gradient of the mean loss at which the fit has converged."""


class Calibration(BaseModel):
    """Calibrated log-odds are `slope` times the model's log-odds, plus `intercept`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slope: float
    intercept: float

    def log_odds(self, raw: Floats) -> Floats:
        """Calibrated log-odds, shape (rows,)."""
        return self.slope * raw + self.intercept


UNCHANGED = Calibration(slope=1.0, intercept=0.0)


def sigmoid(log_odds: Floats) -> Floats:
    """Sigmoid: the probabilities of log-odds, shape (rows,)."""
    from scipy.special import expit  # noqa: PLC0415  # slow to import

    return np.asarray(expit(log_odds))


def fit_slope(log_odds: Floats, labels: Labels) -> float:
    """Fit the slope of a line of greatest likelihood, whatever its intercept.

    Platt, Probabilistic Outputs for Support Vector Machines, 1999; Cox, Two Further Applications of
    a Model for Binary Regression, 1958. A prior distribution about 1 keeps the slope of few users
    near it, and it never leaves `SLOPES`. A trust-region method is used because plain Newton steps
    can diverge.

    Args:
        log_odds: Predictions for users that the model was not trained on, shape (users,).
        labels: Their outcomes, shape (users,).
    """
    from scipy.optimize import minimize  # noqa: PLC0415  # slow to import

    users = max(len(labels), 1)
    design = np.column_stack([log_odds, np.ones_like(log_odds)])
    signed = np.where(labels, -1.0, 1.0)
    identity = np.array([1.0, 0.0])
    penalty = np.array([_SLOPE_PENALTY, 1.0])  # the latter only makes the solution unique

    def loss(line: Floats) -> float:
        losses = np.logaddexp(0.0, signed * (design @ line)).sum()
        return float(losses + penalty / 2 @ (line - identity) ** 2) / users

    def gradient(line: Floats) -> Floats:
        errors = sigmoid(design @ line) - labels
        return np.asarray(design.T @ errors + penalty * (line - identity)) / users

    def curvature(line: Floats) -> Floats:
        chance = sigmoid(design @ line)
        of_users = (design * (chance * (1 - chance))[:, None]).T @ design
        return np.asarray(of_users + np.diag(penalty)) / users

    solution = minimize(
        loss, identity, jac=gradient, hess=curvature, method="trust-exact", tol=_PRECISION
    )
    return float(np.clip(solution.x[0], *SLOPES))


def fit_intercept(log_odds: Floats, labels: Labels, ages: NDArray[np.intp]) -> float:
    """Fit the intercept at which the weighted mean probability is the weighted share of positives.

    It is that of greatest likelihood with the log-odds as an offset, a prior correction (King and
    Zeng, Logistic Regression in Rare Events Data, 2001, section 4.1). Weights halve with each
    `HALF_LIFE`: simple exponential smoothing (Gardner, Exponential smoothing: the state of the art,
    part II, 2006).

    Args:
        log_odds: Predictions for the training rows of the model that is applied, shape (rows,).
        labels: Their outcomes, of both kinds, shape (rows,).
        ages: Number of snapshots after that of each row, shape (rows,).
    """
    from scipy.optimize import brentq  # noqa: PLC0415  # slow to import

    weights = recency_weights(ages)
    positives = float(weights @ labels)
    middle = np.log(positives / float(weights @ ~labels))

    def excess(intercept: float) -> float:
        return float(weights @ sigmoid(log_odds + intercept)) - positives

    low, high = middle - log_odds.max() - 1.0, middle - log_odds.min() + 1.0
    return float(brentq(excess, low, high))


def recency_weights(ages: NDArray[np.intp]) -> Floats:
    """Weight of each row for the level, 1 in the latest snapshot, shape (rows,)."""
    return np.exp2(-ages / HALF_LIFE)
