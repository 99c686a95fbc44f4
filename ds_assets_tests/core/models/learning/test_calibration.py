"""Calibration: the slope from later users, the level from the latest training snapshots."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.learning.calibration import (
    SLOPES,
    UNCHANGED,
    fit_intercept,
    fit_slope,
    recency_weights,
    sigmoid,
)


def drawn(users: int, seed: int = 0) -> tuple[Floats, Labels]:
    """True log-odds, and labels drawn by them."""
    chance = np.random.default_rng(seed)
    log_odds = chance.normal(-0.5, 1.5, users)
    return log_odds, chance.random(users) < sigmoid(log_odds)


def same_age(rows: int) -> NDArray[np.intp]:
    return np.zeros(rows, dtype=np.intp)


@pytest.mark.parametrize(("slope", "level"), [(0.9, 1.0), (1.1, -0.7), (1.2, 0.0), (0.85, 5.0)])
def test_a_distorted_slope_is_undone_whatever_the_level(slope: float, level: float) -> None:
    truth, labels = drawn(50_000)
    assert fit_slope((truth - level) / slope, labels) == pytest.approx(slope, rel=0.03)


def test_the_slope_of_many_users_is_the_likeliest() -> None:
    truth, labels = drawn(200_000)
    free = LogisticRegression(C=np.inf).fit(1.1 * truth[:, None] + 1, labels)
    assert fit_slope(1.1 * truth + 1, labels) == pytest.approx(free.coef_[0, 0], abs=2e-3)


def test_the_slope_of_few_users_stays_near_one() -> None:
    truth, labels = drawn(100)
    free = LogisticRegression(C=np.inf).fit(1.5 * truth[:, None], labels)
    assert free.coef_[0, 0] < fit_slope(1.5 * truth, labels) - 0.05 < 0.95


def test_the_slope_of_relations_that_have_turned_round_is_bounded() -> None:
    truth, labels = drawn(5_000)
    assert fit_slope(-truth, labels) == SLOPES[0]
    assert fit_slope(truth / 9, labels) == SLOPES[1]


def test_the_slope_of_nobody_is_one() -> None:
    assert fit_slope(np.empty(0), np.empty(0, dtype=bool)) == 1.0


@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-60, 60)),
    st.integers(0, 2**40),
)
def test_any_outcomes_have_a_slope_that_keeps_the_order_of_users(
    log_odds: Floats, bits: int
) -> None:
    labels = np.array([bool(bits >> place & 1) for place in range(len(log_odds))])
    assert SLOPES[0] <= fit_slope(log_odds, labels) <= SLOPES[1]


@st.composite
def training_rows(draw: st.DrawFn) -> tuple[Floats, Labels, NDArray[np.intp]]:
    """Log-odds, labels of both kinds, and ages."""
    rows = draw(st.integers(2, 40))
    log_odds = draw(hnp.arrays(np.float64, rows, elements=st.floats(-30, 30)))
    labels = draw(hnp.arrays(np.bool_, rows))
    labels[:2] = [True, False]
    ages = draw(hnp.arrays(np.intp, rows, elements=st.integers(0, 11)))
    return log_odds, labels, ages


@given(training_rows())
def test_the_weighted_mean_agrees_with_the_outcomes(
    rows: tuple[Floats, Labels, NDArray[np.intp]],
) -> None:
    log_odds, labels, ages = rows
    probabilities = sigmoid(log_odds + fit_intercept(log_odds, labels, ages))
    weights = recency_weights(ages)
    np.testing.assert_allclose(weights @ probabilities, weights @ labels, rtol=1e-6, atol=1e-9)


@given(training_rows())
def test_a_level_that_agrees_already_is_left_as_it_is(
    rows: tuple[Floats, Labels, NDArray[np.intp]],
) -> None:
    log_odds, labels, ages = rows
    first = fit_intercept(log_odds, labels, ages)
    assert fit_intercept(log_odds + first, labels, ages) == pytest.approx(0, abs=1e-6)


def test_of_one_snapshot_the_mean_is_the_share_of_positives() -> None:
    truth, labels = drawn(5_000)
    probabilities = sigmoid(truth + 2 + fit_intercept(truth + 2, labels, same_age(5_000)))
    assert probabilities.mean() == pytest.approx(labels.mean())


def test_a_snapshot_counts_half_of_the_next_one() -> None:
    ages = np.repeat([2, 1, 0], 1_000)
    shares = np.array([0.1, 0.3, 0.5])
    labels = np.concatenate([np.arange(1_000) < 1_000 * share for share in shares])
    level = sigmoid(np.array([fit_intercept(np.zeros(3_000), labels, ages)]))
    assert level[0] == pytest.approx((0.1 / 4 + 0.3 / 2 + 0.5) / 1.75)


def test_no_change_is_no_change() -> None:
    log_odds = np.array([-1e300, -3.0, 0.0, 3.0, 1e300])
    np.testing.assert_array_equal(UNCHANGED.log_odds(log_odds), log_odds)


def test_probabilities_of_extreme_log_odds_stay_between_zero_and_one() -> None:
    probabilities = sigmoid(np.array([-1e300, -800.0, 0.0, 800.0, 1e300]))
    np.testing.assert_array_equal(probabilities, [0.0, 0.0, 0.5, 1.0, 1.0])
