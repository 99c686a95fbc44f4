"""Four groups of users by what a promotion does to them.

Persuadable users do what is wanted because of it, sure ones without it, lost ones in no case, and
sleeping dogs would have done it without (Radcliffe, Using Control Groups to Target on Predicted
Lift, 2007).

Scope: assigning users to groups, and measuring each.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.evaluation.metrics import Measure
from ds_assets.core.promotions.uplift.measures import measure_mean

GroupName = Literal["persuadable", "sure", "lost", "sleeping dog"]
GROUPS: tuple[GroupName, ...] = ("persuadable", "sure", "lost", "sleeping dog")
_HALF = 0.5


class EffectGroup(BaseModel):
    """A group of users of a validation.

    Attributes:
        name: Its name.
        share: Share of the users.
        without: Their mean probability of the wanted outcome without treatment.
        predicted: Mean predicted effect on it.
        measured: Mean effect that was measured, with its 95 % interval; None for few users.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: GroupName
    share: float
    without: float
    predicted: float
    measured: Measure | None


MIN_USERS = 100
"""Users of a group that are measured: a mean of fewer says little."""


def group_users(low: Floats, high: Floats, without: Floats) -> NDArray[np.object_]:
    """Group of each user.

    Args:
        low: Lower end of the interval of the effect on the wanted outcome, shape (users,).
        high: Its upper end.
        without: Probability of the wanted outcome without treatment, shape (users,).
    """
    indifferent = np.where(without >= _HALF, "sure", "lost")
    grouped = np.where(low > 0, "persuadable", np.where(high < 0, "sleeping dog", indifferent))
    return np.asarray(grouped, dtype=object)


def measure_groups(
    groups: NDArray[np.object_],
    without: Floats,
    predicted: Floats,
    scores: Floats,
    weights: Floats,
) -> tuple[EffectGroup, ...]:
    """Describe the groups that have users.

    Args:
        groups: What `group_users` returned, shape (users,).
        without: Probability of the wanted outcome without treatment, shape (users,).
        predicted: Predicted effects, shape (users,).
        scores: What `effect_scores` returned, shape (users,).
        weights: Users whom each row stands for, shape (users,).
    """
    parts = []
    for name in GROUPS:
        rows = groups == name
        if not rows.any():
            continue
        own = weights[rows]
        enough = rows.sum() >= MIN_USERS
        parts.append(
            EffectGroup(
                name=name,
                share=float(own.sum() / weights.sum()),
                without=float(np.average(without[rows], weights=own)),
                predicted=float(np.average(predicted[rows], weights=own)),
                measured=measure_mean(scores[rows], own) if enough else None,
            )
        )
    return tuple(parts)
