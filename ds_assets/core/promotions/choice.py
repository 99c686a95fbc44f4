"""Which of the users who qualify are chosen, with a share of exploration that stays random.

Whom the policy leaves out is explored at a known rate, so that the effect on such users can be
measured for ever, and each explored row stands for as many as were left out (Horvitz and Thompson,
A Generalization of Sampling Without Replacement, 1952). Arms are drawn afterwards, from all chosen
users alike: control users are chosen by the same rule as those who are treated.

Scope: pure choices, given what the policy says and a random number of each user.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Floats

RULE, POLICY, EXPLORATION, OUTSIDE = "rule", "policy", "exploration", "outside"
"""What chose a user: the condition alone, the policy, chance, or a file from outside."""


def choose_users(
    treats: Iterable[bool | None], draws: Iterable[float], explore: float
) -> NDArray[np.object_]:
    """How each user is chosen: RULE, POLICY, EXPLORATION, or None if left out, shape (users,).

    Args:
        treats: Whether the policy treats each user; None where the rule chooses.
        draws: A number from 0 to 1 for each user, drawn independently of arm and features.
        explore: Share of the users whom the policy leaves out that is chosen all the same.
    """
    both = zip(treats, draws, strict=True)
    chosen_by = [_choose(treated, draw < explore) for treated, draw in both]
    return np.array(chosen_by, dtype=object)


def _choose(treated: bool | None, is_explored: bool) -> str | None:
    if treated is None:
        return RULE
    return POLICY if treated else EXPLORATION if is_explored else None


def weights_of(chosen_by: NDArray[np.object_], explore: float) -> Floats:
    """Users who qualify that each chosen one stands for, shape (users,).

    Args:
        chosen_by: How each was chosen; whatever is not EXPLORATION stands for itself.
        explore: The share with which users were explored.
    """
    return np.where(chosen_by == EXPLORATION, 1 / explore, 1.0)
