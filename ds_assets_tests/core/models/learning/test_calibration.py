import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.learning.calibration import (
    UNCHANGED,
    Calibration,
    fit_calibration,
    sigmoid,
)


def drawn(users: int, seed: int = 0) -> tuple[Floats, Labels]:
    """True log-odds, and labels drawn by them."""
    chance = np.random.default_rng(seed)
    log_odds = chance.normal(-0.5, 1.5, users)
    return log_odds, chance.random(users) < sigmoid(log_odds)


@pytest.mark.parametrize(("slope", "intercept"), [(0.5, 1.0), (2.0, -0.7), (1.3, 0.0), (0.2, 5.0)])
def test_a_known_distortion_is_undone(slope: float, intercept: float) -> None:
    truth, labels = drawn(20_000)
    line = fit_calibration((truth - intercept) / slope, labels)
    assert line.slope == pytest.approx(slope, rel=0.06)
    assert line.intercept == pytest.approx(intercept, abs=0.06)
    np.testing.assert_allclose(line.log_odds((truth - intercept) / slope), truth, atol=0.5)


def test_the_line_is_the_likeliest() -> None:
    truth, labels = drawn(5_000)
    line = fit_calibration(2 * truth + 1, labels)
    free = LogisticRegression(C=np.inf).fit(2 * truth[:, None] + 1, labels)
    assert line.slope == pytest.approx(free.coef_[0, 0], abs=1e-3)
    assert line.intercept == pytest.approx(free.intercept_[0], abs=2e-3)


def test_calibrated_log_odds_are_left_nearly_as_they_are() -> None:
    line = fit_calibration(*drawn(20_000))
    assert line.slope == pytest.approx(1.0, abs=0.05)
    assert line.intercept == pytest.approx(0.0, abs=0.05)


def test_few_users_move_the_line_little() -> None:
    line = fit_calibration(np.array([2.0]), np.array([False]))
    assert 0 < line.slope < 1
    assert -1 < line.intercept < 0


def test_nobody_changes_nothing() -> None:
    assert fit_calibration(np.empty(0), np.empty(0, dtype=bool)) == UNCHANGED


@pytest.mark.parametrize("label", [True, False])
def test_users_of_one_outcome_give_a_line_in_that_direction(label: bool) -> None:
    log_odds = drawn(1_000)[0]
    line = fit_calibration(log_odds, np.full(1_000, label))
    moved = sigmoid(line.log_odds(log_odds)).mean()
    before = sigmoid(log_odds).mean()
    assert np.isfinite([line.slope, line.intercept]).all()
    assert moved > before if label else moved < before


@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-60, 60)),
    st.integers(0, 2**40),
)
def test_any_outcomes_have_a_line_that_is_no_worse_than_none(log_odds: Floats, bits: int) -> None:
    labels = np.array([bool(bits >> place & 1) for place in range(len(log_odds))])
    line = fit_calibration(log_odds, labels)
    assert np.isfinite([line.slope, line.intercept]).all()

    def loss(calibration: Calibration) -> float:
        signed = np.where(labels, 1, -1) * calibration.log_odds(log_odds)
        penalty = ((calibration.slope - 1) ** 2 + calibration.intercept**2) / 2
        return float(np.logaddexp(0, -signed).sum() + penalty)

    assert loss(line) <= loss(UNCHANGED) + 1e-6


def test_no_change_is_no_change() -> None:
    log_odds = np.array([-1e300, -3.0, 0.0, 3.0, 1e300])
    np.testing.assert_array_equal(UNCHANGED.log_odds(log_odds), log_odds)


def test_chances_of_extreme_log_odds_stay_between_nought_and_one() -> None:
    chances = sigmoid(np.array([-1e300, -800.0, 0.0, 800.0, 1e300]))
    np.testing.assert_array_equal(chances, [0.0, 0.0, 0.5, 1.0, 1.0])
