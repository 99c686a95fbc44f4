"""Calibration: a linear map of log-odds, fitted to the outcomes of a later snapshot."""

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Labels

_PENALTY = 1.0
"""Penalty on the distance from the identity, relative to the likelihood of one user."""
_PRECISION = 1e-8
"""Gradient of the mean loss at which the fit has converged."""
_NOTHING = np.array([1.0, 0.0])
"""The identity: slope 1, intercept 0."""


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


def fit_calibration(log_odds: Floats, labels: Labels) -> Calibration:
    """Fit the line of maximum likelihood (Platt, Probabilistic Outputs for SVMs, 1999).

    A small penalty on the distance from the identity makes the solution unique for any outcomes. A
    trust-region method is used because plain Newton steps can diverge.

    Args:
        log_odds: Predictions for users that the model was not trained on, shape (users,).
        labels: Their outcomes, shape (users,).
    """
    from scipy.optimize import minimize  # noqa: PLC0415  # slow to import

    users = max(len(labels), 1)
    design = np.column_stack([log_odds, np.ones_like(log_odds)])
    signed = np.where(labels, -1.0, 1.0)

    def loss(line: Floats) -> float:
        losses = np.logaddexp(0.0, signed * (design @ line)).sum()
        return float(losses + _PENALTY / 2 * ((line - _NOTHING) ** 2).sum()) / users

    def gradient(line: Floats) -> Floats:
        errors = sigmoid(design @ line) - labels
        return np.asarray(design.T @ errors + _PENALTY * (line - _NOTHING)) / users

    def curvature(line: Floats) -> Floats:
        chance = sigmoid(design @ line)
        of_users = (design * (chance * (1 - chance))[:, None]).T @ design
        return np.asarray(of_users + _PENALTY * np.eye(2)) / users

    solution = minimize(
        loss, _NOTHING, jac=gradient, hess=curvature, method="trust-exact", tol=_PRECISION
    )
    return Calibration(slope=float(solution.x[0]), intercept=float(solution.x[1]))
