"""Whom to treat: a policy from predicted profit, compared with simpler ones on later users.

Scope: policies as shares of users, their values off policy, and which of them is used.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.evaluation.metrics import Measure
from ds_assets.core.promotions.uplift.measures import measure_mean

PolicyName = Literal["uplift", "all", "nobody", "risk"]
_SHARES = tuple(share / 20 for share in range(21))
"""Shares of the users, those with the highest risk, of which the most profitable is chosen."""


class PolicyValue(BaseModel):
    """What a policy brings.

    Attributes:
        treated_share: Share of the users that it treats.
        profit: Profit per user who qualifies, over that of treating nobody.
        more_than_all: The same over that of treating all users.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    treated_share: float
    profit: Measure
    more_than_all: Measure


class PolicyDecision(BaseModel):
    """Which policy is used.

    Attributes:
        used: `uplift` where it is better than treating all users beyond noise, else `all`: the rule
            as it is written.
        values: What each policy brings on users that it was not chosen on.
        reason: Why, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    used: Literal["uplift", "all"]
    values: dict[PolicyName, PolicyValue]
    reason: str


def choose_by_profit(profits: Floats) -> Labels:
    """Treat users on whom the expected effect is worth more than it costs, shape (users,).

    Args:
        profits: Effect times value less cost, shape (users,).
    """
    return np.asarray(profits > 0)


def choose_risk_share(risks: Floats, profit_scores: Floats, weights: Floats) -> float:
    """Least risk of users to treat that would have been most profitable.

    Args:
        risks: Probability of the unwanted outcome without treatment, shape (users,).
        profit_scores: Scores of the profit of a treatment, as `effect_scores`, shape (users,).
        weights: Users whom each row stands for, shape (users,).
    """
    bounds = np.quantile(risks, [1 - share for share in _SHARES])
    bounds[0] = np.inf
    profits = [float(((risks >= bound) * weights) @ profit_scores) for bound in bounds]
    return float(bounds[int(np.argmax(profits))])


def evaluate_policies(
    policies: Mapping[PolicyName, Labels], profit_scores: Floats, weights: Floats
) -> dict[PolicyName, PolicyValue]:
    """Estimate what policies would have brought to users that were treated at random.

    Off-policy evaluation with doubly robust scores (Dudík, Langford and Li, Doubly Robust Policy
    Evaluation and Learning, 2011).

    Args:
        policies: Whom each policy treats, each of shape (users,).
        profit_scores: Scores of the profit of a treatment, shape (users,), by models that have not
            seen the users.
        weights: Users whom each row stands for, shape (users,).
    """
    return {
        name: PolicyValue(
            treated_share=float(np.average(treats, weights=weights)),
            profit=measure_mean(treats * profit_scores, weights),
            more_than_all=measure_mean((treats.astype(float) - 1) * profit_scores, weights),
        )
        for name, treats in policies.items()
    }


def decide_policy(
    policies: Mapping[PolicyName, Labels], profit_scores: Floats, weights: Floats, *, differs: bool
) -> PolicyDecision:
    """Use the policy of uplift only where it is better than the rule beyond noise.

    Args:
        policies: Whom each policy treats, with those of `PolicyName`.
        profit_scores: Scores of the profit of a treatment, shape (users,).
        weights: Users whom each row stands for, shape (users,).
        differs: Whether effects differ between users beyond noise.
    """
    values = evaluate_policies(policies, profit_scores, weights)
    reason = _find_objection(policies, profit_scores, weights, values, differs=differs)
    if reason is None:
        gain = values["uplift"].more_than_all
        return PolicyDecision(
            used="uplift",
            values=values,
            reason=f"it brings {gain.value:.4g} ({gain.low:.4g} to {gain.high:.4g}) per user more "
            "than treating all users",
        )
    return PolicyDecision(used="all", values=values, reason=reason)


def _find_objection(
    policies: Mapping[PolicyName, Labels],
    profit_scores: Floats,
    weights: Floats,
    values: Mapping[PolicyName, PolicyValue],
    *,
    differs: bool,
) -> str | None:
    """Why the rule stays, in words; None if uplift is used."""
    if not differs:
        return "effects do not differ between users beyond noise"
    gain = values["uplift"].more_than_all
    if gain.low <= 0:
        return (
            f"choosing by uplift brings {gain.value:.4g} ({gain.low:.4g} to {gain.high:.4g}) per "
            "user more than treating all users, which is not beyond noise"
        )
    others: dict[PolicyName, str] = {"nobody": "treating nobody", "risk": "ranking by risk"}
    for name, words in others.items():
        less = (policies["uplift"].astype(float) - policies[name]) * profit_scores
        difference = measure_mean(less, weights)
        if difference.high < 0:
            return f"{words} is better beyond noise"
    return None
