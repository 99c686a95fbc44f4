import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.promotions.uplift.policy import (
    PolicyDecision,
    PolicyName,
    choose_by_profit,
    choose_risk_share,
    decide_policy,
    evaluate_policies,
)

USERS = 4_000
GENERATOR = np.random.default_rng(0)
GAINS = np.where(np.arange(USERS) % 2 == 0, 1.0, -1.0)
"""Profit of treating each user."""


def policies(uplift: Labels, risk: Labels | None = None) -> dict[PolicyName, Labels]:
    everyone = np.ones(USERS, dtype=bool)
    by_risk = everyone if risk is None else risk
    return {"uplift": uplift, "all": everyone, "nobody": ~everyone, "risk": by_risk}


def decide(
    uplift: Labels, scores: Floats, risk: Labels | None = None, *, differs: bool = True
) -> PolicyDecision:
    return decide_policy(policies(uplift, risk), scores, np.ones(USERS), differs=differs)


def scores(noise: float) -> Floats:
    return GAINS + np.random.default_rng(1).normal(0, noise, USERS)


def test_users_are_treated_whose_effect_is_worth_more_than_it_costs() -> None:
    assert choose_by_profit(np.array([-0.1, 0.0, 0.1])).tolist() == [False, False, True]


def test_a_policy_that_is_better_beyond_noise_is_used() -> None:
    decision = decide(GAINS > 0, scores(0.5))
    assert decision.used == "uplift"
    assert decision.values["uplift"].treated_share == 0.5
    assert decision.values["uplift"].profit.value == pytest.approx(0.5, abs=0.05)


def test_a_policy_that_noise_could_have_made_better_is_not_used() -> None:
    decision = decide(GAINS > 0, scores(200.0))
    assert decision.used == "all"
    assert "not beyond noise" in decision.reason


def test_a_policy_is_not_used_where_effects_do_not_differ() -> None:
    decision = decide(GAINS > 0, scores(0.5), differs=False)
    assert (decision.used, decision.reason) == (
        "all",
        "effects do not differ between users beyond noise",
    )


def test_a_policy_that_treating_nobody_beats_is_not_used() -> None:
    losses = -1 - np.abs(scores(0.1))
    some = np.arange(USERS) < USERS // 2
    decision = decide(some, losses)
    assert decision.used == "all"
    assert decision.reason == "treating nobody is better beyond noise"


def test_a_policy_that_ranking_by_risk_beats_is_not_used() -> None:
    partly = (GAINS > 0) & (np.arange(USERS) < USERS // 2)
    decision = decide(partly, scores(0.5), risk=GAINS > 0)
    assert decision.reason == "ranking by risk is better beyond noise"


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_what_a_policy_brings_more_than_treating_all_is_what_it_avoids(
    seed: int, share: float
) -> None:
    generator = np.random.default_rng(seed)
    treats, own = generator.random(200) < share, generator.normal(size=200)
    everyone = np.ones(200, dtype=bool)
    values = evaluate_policies(
        {"uplift": treats, "all": everyone}, own, generator.uniform(1, 5, 200)
    )
    difference = values["uplift"].profit.value - values["all"].profit.value
    assert values["uplift"].more_than_all.value == pytest.approx(difference)
    assert values["all"].more_than_all.value == 0


@given(st.integers(0, 2**32 - 1))
def test_users_at_risk_are_treated_down_to_the_most_profitable_share(seed: int) -> None:
    generator = np.random.default_rng(seed)
    risks, own = generator.random(100), generator.normal(size=100)
    weights = np.ones(100)
    best = own[risks >= choose_risk_share(risks, own, weights)].sum()
    for share in (0.05, 0.5, 1.0):
        bound = np.quantile(risks, 1 - share)
        assert best >= own[risks >= bound].sum() - 1e-9
    assert best >= 0


def test_nobody_is_treated_by_risk_if_every_treatment_loses() -> None:
    bound = choose_risk_share(np.array([0.1, 0.9]), np.array([-1.0, -1.0]), np.ones(2))
    assert bound == np.inf
