"""Maximum likelihood for distributions with a few positive parameters.

Scope: what the models of rates and of amounts share: which users are fitted, and the search.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats

MAX_FITTED_USERS = 5_000
"""Users beyond which a handful of parameters hardly changes, while the search takes as long."""
SMALLEST, LARGEST = 1e-4, 1e6
"""Bounds of parameters, as data may not bound them."""


def choose_evenly(users: int) -> NDArray[np.int64]:
    """Places of at most `MAX_FITTED_USERS` of so many users, evenly spread."""
    return np.linspace(0, users - 1, min(users, MAX_FITTED_USERS)).astype(np.int64)


def minimize_positive(loss: Callable[[Floats], float], start: Floats) -> Floats:
    """Find the positive parameters with the least loss.

    Args:
        loss: The loss of parameters, shape (parameters,).
        start: Where the search begins, shape (parameters,).
    """
    from scipy.optimize import minimize  # noqa: PLC0415  # slow to import

    def loss_of_logarithms(logarithms: Floats) -> float:
        return loss(np.exp(logarithms))

    bounds = [(np.log(SMALLEST), np.log(LARGEST))] * len(start)
    result = minimize(loss_of_logarithms, np.log(start), bounds=bounds)
    return np.asarray(np.exp(result.x))
