"""Users that a policy chooses on a day, with a share of exploration that stays random.

Whom the policy leaves out is explored at a known rate, so that the effect on such users can be
measured for ever, and each explored row stands for as many as were left out (Horvitz and Thompson,
A Generalization of Sampling Without Replacement, 1952). Arms are drawn afterwards, from all chosen
users alike: control users are chosen by the same rule as those who are treated.

Scope: pure choices, given profits and a random number of each user.
"""

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats
from ds_assets.core.promotions.uplift.policy import choose_by_profit

POLICY, EXPLORATION = "policy", "exploration"
"""Values of the column `chosen_by` of users that were chosen so."""


def choose_users(profits: Floats, draws: Floats, explore: float) -> NDArray[np.object_]:
    """How each user is chosen: POLICY, EXPLORATION, or None for those left out, shape (users,).

    Args:
        profits: Expected profit of treating each user, shape (users,).
        draws: A number from 0 to 1 for each user, drawn independently of arm and features.
        explore: Share of the users whom the policy leaves out that is chosen all the same.
    """
    chosen_by = np.full(len(profits), None, dtype=object)
    chosen_by[draws < explore] = EXPLORATION
    chosen_by[choose_by_profit(profits)] = POLICY
    return chosen_by


def weights_of(chosen_by: NDArray[np.object_], explore: float) -> Floats:
    """Users who qualified that each chosen one stands for, shape (users,).

    Args:
        chosen_by: How each was chosen; whatever is not EXPLORATION stands for itself.
        explore: The share with which users were explored.
    """
    return np.where(chosen_by == EXPLORATION, 1 / explore, 1.0)
