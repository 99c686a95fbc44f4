"""How payers differ from what an early model expects of them, drawn from the model itself.

Before labels have matured, nothing shows what single users spend within a horizon. The early model
states it: futures of users are drawn from its distributions, and the spread is fitted to them as
that of a trained model is fitted to training rows. Intervals are as good as the model is.

Scope: drawing what users spend, and the spread of the draws.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.bg_bb import Beta
from ds_assets.core.models.learning.gamma_gamma import MIN_Q, Amounts
from ds_assets.core.models.learning.spread import Spread, fit_spread

DRAWS = 20_000
"""Futures that are drawn: where one user in ten pays, they give the tail a hundred payers."""
_SEED = 0
_TINY = 1e-12


class Buyers(NamedTuple):
    """What the history of each user says about purchases, arrays of shape (users,).

    Attributes:
        alive: Probability of not having left.
        buying: Chance of buying on a day, if the user is alive.
        leaving: Chance of leaving after a day.
        number: Number of days with a purchase so far.
        total: Sum of what was spent.
    """

    alive: Floats
    buying: Beta
    leaving: Beta
    number: Floats
    total: Floats

    def select(self, users: NDArray[np.intp]) -> "Buyers":
        """Select users by their places."""
        buying, leaving = (
            Beta(*(np.broadcast_to(values, self.alive.shape)[users] for values in beta))
            for beta in (self.buying, self.leaving)
        )
        return Buyers(self.alive[users], buying, leaving, self.number[users], self.total[users])


def fit_early_spread(
    buyers: Buyers, amounts: Amounts, expected: Floats, horizon: int
) -> Spread | None:
    """Fit the spread to draws of what users will spend; None if nobody spends anything.

    Args:
        buyers: The users.
        amounts: The distributions of amounts.
        expected: Expected spend of each user, given a purchase, shape (users,).
        horizon: Number of days.
    """
    generator = np.random.default_rng(_SEED)
    users = np.resize(np.arange(len(expected)), DRAWS)
    spend = draw_spend(buyers.select(users), amounts, horizon, generator)
    pays = (spend > 0) & (expected[users] > 0)
    return fit_spread(spend[pays], expected[users][pays]) if pays.any() else None


def draw_spend(
    buyers: Buyers, amounts: Amounts, horizon: int, generator: np.random.Generator
) -> Floats:
    """Draw what each user spends in the next days, shape (users,).

    Args:
        buyers: The users.
        amounts: The distributions of amounts.
        horizon: Number of days.
        generator: Draws.
    """
    days = _draw_purchase_days(buyers, horizon, generator)
    p, q, gamma = amounts
    shape = p * buyers.number + max(q, MIN_Q)
    rates = generator.gamma(shape) / (gamma + np.maximum(buyers.total, 0.0))
    sums = generator.gamma(np.maximum(p * days, _TINY)) / np.maximum(rates, _TINY)
    return np.where(days > 0, sums, 0.0)


def _draw_purchase_days(
    buyers: Buyers, horizon: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw on how many of the next days each user buys, shape (users,)."""
    users = len(buyers.alive)
    leaving = np.clip(generator.beta(*buyers.leaving, users), _TINY, 1.0)
    lived = np.minimum(generator.geometric(leaving) - 1, horizon)
    days = np.where(generator.random(users) < buyers.alive, lived, 0)
    return generator.binomial(days, generator.beta(*buyers.buying, users))
