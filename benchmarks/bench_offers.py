"""What is earned by offers to the users most at risk, to all, and to those whom an offer changes.

The truth of a simulated game is known: how probable it is that each user leaves or pays, and what
an offer changes. So the profit of a policy is computed and not estimated; no model takes part.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.measuring import Circumstances
from benchmarks.offer_experiment import Truth, find_truth
from benchmarks.quality_rows import value_row
from benchmarks.report import Row
from benchmarks.validation import Flags, Floats
from ds_assets.simulate import OfferKind, SimulationOptions

OPTIONS = SimulationOptions(users=20_000, days=60)
VALUE, COST = 5.0, 0.5
"""Of a user who stays, or pays, because of an offer; and of an offer, in US dollars."""
RANKED = (0.1, 0.3)
"""Shares of the users with the highest risk, or the highest probability of paying."""


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    del circumstances
    return [row for kind in OfferKind for row in profit_rows(kind, find_truth(OPTIONS, kind))]


def profit_rows(kind: OfferKind, truth: Truth) -> Iterator[Row]:
    """Profit of each policy per 1,000 active users, and how many users it treats."""
    scores, gains, learnable = {
        OfferKind.RETENTION: (truth.churn, -truth.effects.churn, -truth.learnable.churn),
        OfferKind.SALE: (truth.payment, truth.effects.payment, truth.learnable.payment),
    }[kind]
    profits = gains * VALUE - COST
    for name, treated in find_policies(scores, gains, learnable).items():
        profit = float((profits * treated).mean() * 1000)
        against = f"{treated.mean():.0%} of {len(treated):,} active users are treated"
        yield value_row(f"{kind}: {name}", round(profit, 1), "USD per 1,000 users", against)


def find_policies(scores: Floats, gains: Floats, learnable: Floats) -> Mapping[str, Flags]:
    """Find whom each policy treats, an array of shape (users,) each.

    Args:
        scores: Probability by which users are ranked without regard to what an offer changes.
        gains: What an offer truly adds to the probability of a good outcome.
        learnable: What it adds on average for users who look alike in the logs.
    """
    order = np.argsort(np.argsort(-scores, kind="stable"))
    ranked = {
        f"the {share:.0%} with the highest probability": order < share * len(scores)
        for share in RANKED
    }
    best = np.asarray(learnable * VALUE > COST)
    return {
        "nobody": np.zeros(len(scores), dtype=bool),
        "all users": np.ones(len(scores), dtype=bool),
        **ranked,
        "as many as the next, by the highest probability": order < np.count_nonzero(best),
        "whom it pays by what can be learnt of the effect": best,
        "whom it pays by the true effect": np.asarray(gains * VALUE > COST),
    }
