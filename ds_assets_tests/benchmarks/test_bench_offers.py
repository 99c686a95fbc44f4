"""Profit of policies by the truth of a simulated game."""

import numpy as np
import pytest

from benchmarks.bench_offers import OPTIONS, find_policies, profit_rows
from benchmarks.offer_experiment import find_truth
from ds_assets.simulate import OfferKind, SimulationOptions


def test_each_policy_treats_the_users_that_its_name_says() -> None:
    scores = np.array([0.9, 0.8, 0.3, 0.1, 0.2, 0.0, 0.4, 0.5, 0.6, 0.7])
    gains = np.array([0.0, -0.5, 0.3, 0.05, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    learnable = np.array([0.0, 0.0, 0.2, 0.2, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0])
    treated = {
        name: np.flatnonzero(flags).tolist()
        for name, flags in find_policies(scores, gains, learnable).items()
    }
    assert treated == {
        "nobody": [],
        "all users": list(range(10)),
        "the 10% with the highest probability": [0],
        "the 30% with the highest probability": [0, 1, 9],
        "as many as the next, by the highest probability": [0, 1, 9],
        "whom it pays by what can be learnt of the effect": [2, 3, 4],
        "whom it pays by the true effect": [2, 4],
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", OfferKind)
def test_acting_on_risk_alone_earns_less_than_acting_on_the_effect(kind: OfferKind) -> None:
    truth = find_truth(SimulationOptions(users=4_000, days=OPTIONS.days), kind)
    profits = {row.name.partition(": ")[2]: row.values[0] for row in profit_rows(kind, truth)}
    assert profits["nobody"] == 0
    assert profits["all users"] < 0
    by_effect = profits["whom it pays by what can be learnt of the effect"]
    assert profits["whom it pays by the true effect"] > by_effect > 0
    assert by_effect > profits["as many as the next, by the highest probability"]
    assert by_effect > profits["the 30% with the highest probability"]
