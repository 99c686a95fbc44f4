"""Gamma-gamma: the mean amount of each user, from the number and the sum of the amounts so far.

Amounts of a user are gamma around a mean of the user's own, and these means differ between users
by an inverse gamma distribution. So the mean of a few amounts is drawn towards that of all users,
and a heavy tail of large spenders is part of the model. Fader and Hardie, The Gamma-Gamma Model of
Monetary Value, 2013. Symbols are those of the note.

Scope: amounts per event. How many events there will be is in `bg_nbd`.
"""

from typing import NamedTuple

import numpy as np

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.maximum_likelihood import choose_evenly, minimize_positive

MIN_Q = 1.05
"""Least q that predicts: with 1 or less, the mean over all users would be infinite."""


class Amounts(NamedTuple):
    """The distributions of amounts.

    Attributes:
        p: Shape of the gamma distribution of a user's amounts.
        q: Shape of the gamma distribution of their inverse scales.
        gamma: Its inverse scale, in the unit of the amounts.
    """

    p: float
    q: float
    gamma: float


def fit_amounts(number: Floats, total: Floats) -> Amounts | None:
    """Fit the distributions to the amounts of all users by maximum likelihood.

    Args:
        number: Number of each user's amounts, shape (users,).
        total: Their sum, shape (users,).

    Returns:
        The distributions; None if no user has spent anything.
    """
    pays = np.flatnonzero((total > 0) & (number > 0))
    if not len(pays):
        return None
    chosen = pays[choose_evenly(len(pays))]
    count, mean = number[chosen], total[chosen] / number[chosen]

    def loss(parameters: Floats) -> float:
        return -float(log_likelihood(Amounts(*parameters), count, mean).mean())

    start = np.array([4.0, 3.0, float(np.median(mean))])
    return Amounts(*minimize_positive(loss, start).tolist())


def log_likelihood(amounts: Amounts, number: Floats, mean: Floats) -> Floats:
    """Logarithm of the probability density of each user's mean, shape (users,): equation 1a.

    Args:
        amounts: The distributions.
        number: Number of each user's amounts, shape (users,).
        mean: Mean of them, positive, shape (users,).
    """
    from scipy.special import gammaln  # noqa: PLC0415  # slow to import

    p, q, gamma = amounts
    shape = p * number
    return np.asarray(
        gammaln(shape + q)
        - gammaln(shape)
        - gammaln(q)
        + q * np.log(gamma)
        + (shape - 1) * np.log(mean)
        + shape * np.log(number)
        - (shape + q) * np.log(gamma + number * mean)
    )


def expected_amounts(amounts: Amounts, number: Floats, total: Floats) -> Floats:
    """Mean of each user's future amounts, shape (users,): equation 5.

    Args:
        amounts: The distributions.
        number: Number of each user's amounts, 0 for none, shape (users,).
        total: Their sum, shape (users,).
    """
    p, q, gamma = amounts
    return np.asarray(p * (gamma + np.maximum(total, 0)) / (p * number + max(q, MIN_Q) - 1))
