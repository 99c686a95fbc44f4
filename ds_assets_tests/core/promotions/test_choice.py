import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.promotions.choice import (
    EXPLORATION,
    POLICY,
    RULE,
    choose_users,
    weights_of,
)

SHARES = st.floats(0.01, 1)
TREATS = st.sampled_from([True, False, None])


@given(st.lists(st.tuples(TREATS, st.floats(0, 1, exclude_max=True)), max_size=40), SHARES)
def test_the_policy_leaves_out_users_but_for_a_share(
    users: list[tuple[bool | None, float]], explore: float
) -> None:
    chosen_by = choose_users([it for it, _ in users], [draw for _, draw in users], explore)
    for (treated, draw), chosen in zip(users, chosen_by, strict=True):
        explored = EXPLORATION if draw < explore else None
        assert chosen == {True: POLICY, None: RULE, False: explored}[treated]


@given(st.lists(st.floats(0, 1), max_size=40), SHARES, SHARES)
def test_more_exploration_only_adds_users(draws: list[float], some: float, other: float) -> None:
    less, more = (
        choose_users([False] * len(draws), draws, share) == EXPLORATION
        for share in sorted((some, other))
    )
    assert (more | ~less).all()


def test_chosen_users_stand_for_all_who_qualify() -> None:
    generator = np.random.default_rng(0)
    profits, explore = generator.normal(size=100_000), 0.1
    chosen_by = choose_users((profits > 0).tolist(), generator.random(len(profits)), explore)
    chosen = chosen_by != None  # noqa: E711  # by element
    weights = weights_of(chosen_by[chosen], explore)
    assert weights.sum() == pytest.approx(len(profits), rel=0.02)
    assert np.average(profits[chosen], weights=weights) == pytest.approx(profits.mean(), abs=0.02)


def test_users_of_the_rule_stand_for_themselves() -> None:
    assert weights_of(np.array([RULE, POLICY], dtype=object), 0.1).tolist() == [1.0, 1.0]
