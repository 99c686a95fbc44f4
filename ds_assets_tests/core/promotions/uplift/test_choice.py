import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.promotions.uplift.choice import (
    EXPLORATION,
    POLICY,
    choose_users,
    weights_of,
)

SHARES = st.floats(0.01, 0.99)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), max_size=40), SHARES)
def test_all_users_of_the_policy_are_chosen_and_of_the_others_those_below_the_share(
    users: list[tuple[float, float]], explore: float
) -> None:
    profits, draws = (np.array([user[place] for user in users]) for place in (0, 1))
    for profit, draw, chosen in zip(
        profits, draws, choose_users(profits, draws, explore), strict=True
    ):
        assert chosen == (POLICY if profit > 0 else EXPLORATION if draw < explore else None)


@given(st.lists(st.floats(0, 1), max_size=40), SHARES, SHARES)
def test_more_exploration_only_adds_users(draws: list[float], some: float, other: float) -> None:
    less, more = (
        choose_users(np.full(len(draws), -1.0), np.array(draws), share) == EXPLORATION
        for share in sorted((some, other))
    )
    assert (more | ~less).all()


def test_chosen_users_stand_for_all_who_qualify() -> None:
    generator = np.random.default_rng(0)
    profits, explore = generator.normal(size=100_000), 0.1
    chosen_by = choose_users(profits, generator.random(len(profits)), explore)
    chosen = chosen_by != None  # noqa: E711  # by element
    weights = weights_of(chosen_by[chosen], explore)
    assert weights.sum() == pytest.approx(len(profits), rel=0.02)
    assert np.average(profits[chosen], weights=weights) == pytest.approx(profits.mean(), abs=0.02)


def test_users_of_the_rule_stand_for_themselves() -> None:
    assert weights_of(np.array(["rule", "policy"], dtype=object), 0.1).tolist() == [1.0, 1.0]
