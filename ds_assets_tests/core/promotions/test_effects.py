import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ds_assets.core.promotions.effects import (
    ALPHA,
    Moments,
    compare,
    compare_segments,
    moments_of,
    required_users,
    sample_ratio_p_value,
)
from ds_assets_tests.core.promotions.days import share

Floats = np.ndarray


def moments(values: Floats, covariate: Floats | None = None) -> Moments:
    x = np.zeros(len(values)) if covariate is None else covariate
    (variance, covariance), (_, covariate_variance) = np.cov(values, x)
    return moments_of(
        len(values), values.mean(), variance, x.mean(), covariate_variance, covariance
    )


def drawn(seed: int, users: int = 2_000, effect: float = 0.0) -> tuple[Floats, Floats]:
    """A covariate, and an outcome that it explains for the most part."""
    rng = np.random.default_rng(seed)
    covariate = rng.normal(size=users)
    return covariate + rng.normal(size=users) / 2 + effect, covariate


def test_without_a_covariate_two_arms_are_compared_by_welchs_test() -> None:
    (treated, _), (control, _) = drawn(1, 500, 0.2), drawn(2, 300)
    effect, expected = (
        compare(moments(treated), moments(control)),
        stats.ttest_ind(treated, control, equal_var=False),
    )
    interval = expected.confidence_interval()
    assert effect.value == pytest.approx(treated.mean() - control.mean())
    assert (effect.low, effect.high) == pytest.approx((interval.low, interval.high))
    assert effect.p_value == pytest.approx(expected.pvalue)
    assert (effect.users_treated, effect.users_control) == (500, 300)


def test_a_covariate_makes_the_interval_narrower_around_the_same_effect() -> None:
    (treated, before), (control, control_before) = drawn(1, effect=0.3), drawn(2)
    plain = compare(moments(treated), moments(control))
    effect = compare(moments(treated, before), moments(control, control_before))
    assert effect.high - effect.low < 0.5 * (plain.high - plain.low)
    assert effect.low < 0.3 < effect.high
    assert (effect.treated, effect.control) == (plain.treated, plain.control)


def test_a_covariate_that_says_nothing_changes_nothing() -> None:
    (treated, _), (control, _) = drawn(1), drawn(2)
    constant = np.full(len(treated), 0.3)
    assert compare(moments(treated, constant), moments(control, constant)) == compare(
        moments(treated), moments(control)
    )


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 1000))
def test_moments_of_two_days_are_those_of_all_their_users(
    users: int, others: int, seed: int
) -> None:
    values, covariate = drawn(seed, users + others)
    both = moments(values[:users], covariate[:users]) + moments(values[users:], covariate[users:])
    together, control = moments(values, covariate), moments(*drawn(seed + 1, 50))
    effect, expected = compare(both, control), compare(together, control)
    assert (effect.value, effect.low) == pytest.approx((expected.value, expected.low))


@given(st.integers(0, 1000), st.floats(-5, 5))
def test_adding_the_same_to_all_outcomes_changes_no_difference(seed: int, amount: float) -> None:
    (treated, before), (control, control_before) = drawn(seed, 60, 0.2), drawn(seed + 1, 40)
    effect, expected = (
        compare(moments(treated + it, before), moments(control + it, control_before))
        for it in (amount, 0)
    )
    assert (effect.value, effect.low, effect.high, effect.p_value) == pytest.approx(
        (expected.value, expected.low, expected.high, expected.p_value)
    )


def test_a_difference_is_also_a_share_of_the_mean_if_that_cannot_be_0() -> None:
    assert compare(share(4_000, 1_100), share(4_000, 1_000)).relative[0] == pytest.approx(0.1)
    amounts = moments_of(4_000, 0.1, 900.0), moments_of(4_000, 0.0, 900.0)
    assert np.isnan(compare(*amounts).relative).all()


def test_costs_that_do_not_vary_have_an_exact_difference() -> None:
    effect = compare(moments_of(100, 0.5, 0.0), moments_of(100, 0.0, 0.0))
    assert (effect.value, effect.low, effect.high, effect.p_value) == (0.5, 0.5, 0.5, None)


class TestCookieCats:
    """A published test of a gate in a game: 44,700 players with the old, 45,489 with the new."""

    old, new = 44_700, 45_489

    def test_the_sizes_of_its_arms_do_not_fit(self) -> None:
        assert sample_ratio_p_value(self.new, self.old, 1) == pytest.approx(0.0086, abs=2e-4)

    def test_seven_day_retention_is_lower(self) -> None:
        effect = compare(share(self.new, 8_279), share(self.old, 8_502))
        points = [100 * number for number in (effect.value, effect.low, effect.high)]
        assert points == pytest.approx([-0.82, -1.33, -0.31], abs=0.005)
        assert effect.is_finding

    def test_one_day_retention_is_no_finding(self) -> None:
        effect = compare(share(self.new, 20_119), share(self.old, 20_034))
        points = [100 * number for number in (effect.value, effect.low, effect.high)]
        assert points == pytest.approx([-0.59, -1.24, 0.06], abs=0.005)
        assert not effect.is_finding


def test_a_difference_in_one_of_many_segments_has_to_be_larger() -> None:
    arms = share(1_000, 450), share(1_000, 500)
    alone = compare_segments({"cluster=1": arms})["cluster=1"]
    others = {f"cluster={number}": (share(1_000, 500), share(1_000, 500)) for number in range(2, 9)}
    among = compare_segments({"cluster=1": arms, **others})["cluster=1"]
    assert alone.is_finding
    assert not among.is_finding
    assert alone.p_value is not None
    assert among.p_value == pytest.approx(8 * alone.p_value)
    assert among.low < alone.low < alone.high < among.high


@given(st.lists(st.tuples(st.integers(5, 95), st.integers(5, 95)), min_size=1, max_size=6))
def test_an_interval_of_a_segment_says_the_same_as_its_corrected_p_value(
    positives: list[tuple[int, int]],
) -> None:
    arms = {
        f"cluster={number}": (share(100, treated), share(100, control))
        for number, (treated, control) in enumerate(positives)
    }
    for effect in compare_segments(arms).values():
        assert effect.p_value is not None
        assert effect.is_finding == (effect.p_value < ALPHA)


def test_segments_in_which_nothing_varies_are_not_tested() -> None:
    costs = moments_of(100, 0.5, 0.0), moments_of(100, 0.0, 0.0)
    assert compare_segments({"cluster=1": costs})["cluster=1"].p_value is None


@pytest.mark.parametrize("ratio", [1, 9, 0.25])
def test_the_users_that_are_needed_find_the_difference_in_80_of_100(ratio: float) -> None:
    needed = required_users(share(1_000, 300), 0.05, ratio)
    treated, control = ratio / (1 + ratio), 1 / (1 + ratio)
    error = np.sqrt(0.21 / needed * (1 / treated + 1 / control))
    assert stats.norm.sf(1.96 - 0.05 / error) == pytest.approx(0.8, abs=0.005)


def test_fewer_users_are_needed_where_predictions_explain_the_outcome() -> None:
    values, covariate = drawn(1)
    plain = required_users(moments(values), 0.1, 9)
    assert required_users(moments(values, covariate), 0.1, 9) < 0.3 * plain


def test_no_arm_has_fewer_than_50_users() -> None:
    assert required_users(share(1_000, 500), 0.9, 9) == 500


def test_equal_arms_of_a_clean_game_hardly_ever_raise_an_alarm() -> None:
    rng = np.random.default_rng(1)
    treated = rng.binomial(20_000, 0.9, 2_000)
    alarms = [sample_ratio_p_value(int(it), 20_000 - int(it), 9) < 0.01 for it in treated]
    assert np.mean(alarms) < 0.015
