"""Survival never increases, agrees with the probability of leaving, and is recovered from data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets.core.models.learning.survival import (
    MIN_LEAVERS,
    SUPPORT,
    Departures,
    Hazard,
    SurvivalCurve,
    fit_survival,
)

LINES = {1: (-1.8, 0.9, 0.5), 2: (-2.0, 0.8, 0.4), 3: (-2.2, 0.7, 0.3), 5: (-2.5, 0.6, 0.2)}
"""Level and slopes of the true hazards, by first step."""
CURVE = SurvivalCurve(
    step_days=7.0,
    steps=8,
    knot=-1.0,
    hazards=tuple(
        Hazard(first_step=first, level=level, slope_below=below, slope_above=above)
        for first, (level, below, above) in LINES.items()
    ),
)


def draw_departures(rows: int, curve: SurvivalCurve = CURVE) -> Departures:
    """Users of snapshots that were followed over 0 to 8 steps, and left with true hazards."""
    chance = np.random.default_rng(0)
    log_odds = chance.normal(-1.2, 1.5, rows)
    survival = curve.survival(sigmoid(log_odds), curve.step_ends)
    step = (survival > chance.random((rows, 1))).sum(axis=1)
    followed = np.arange(rows) % (curve.steps + 1)
    return Departures(log_odds, np.minimum(step, followed), step <= followed)


@st.composite
def curves(draw: st.DrawFn) -> SurvivalCurve:
    firsts = [1, 2, 3, 5, 9][: draw(st.integers(1, 5))]
    return SurvivalCurve(
        step_days=draw(st.floats(1, 60)),
        steps=draw(st.integers(firsts[-1], 20)),
        knot=draw(st.floats(-4, 1)),
        hazards=tuple(
            Hazard(
                first_step=first,
                level=draw(st.floats(-8, 4)),
                slope_below=draw(st.floats(0, 3)),
                slope_above=draw(st.floats(0, 3)),
            )
            for first in firsts
        ),
    )


chances = st.lists(st.floats(0, 1), min_size=2, max_size=20).map(np.array)


@given(curves(), chances)
def test_survival_never_increases_and_begins_with_the_probability_of_staying(
    curve: SurvivalCurve, probabilities: Floats
) -> None:
    survival = curve.survival(probabilities, np.arange(curve.longest_days + 1.0))
    assert (np.diff(survival, axis=1) <= 1e-12).all()
    assert (survival >= 0).all()
    np.testing.assert_allclose(survival[:, 0], 1 - probabilities, atol=1e-9)


@given(curves(), chances)
def test_a_higher_chance_of_leaving_never_has_more_days_left(
    curve: SurvivalCurve, probabilities: Floats
) -> None:
    days = np.nan_to_num(curve.days_left(np.sort(probabilities)), nan=np.inf)
    assert (days[1:] <= days[:-1]).all()


@given(curves(), chances)
def test_days_left_are_the_first_day_on_which_half_of_such_users_have_left(
    curve: SurvivalCurve, probabilities: Floats
) -> None:
    survival = curve.survival(probabilities, np.arange(curve.longest_days + 1.0))
    for row, days in zip(survival, curve.days_left(probabilities), strict=True):
        if np.isnan(days):
            assert row[-1] > 0.5 - 1e-9
        else:
            assert row[int(days)] <= 0.5 + 1e-9
            assert (row[: int(days)] > 0.5 - 1e-9).all()


def test_users_who_have_more_likely_left_have_no_days_left() -> None:
    days = CURVE.days_left(np.array([0.5, 0.9, 1.0, 0.49]))
    assert days.tolist() == [0, 0, 0, 1]


def test_a_median_beyond_the_history_is_missing() -> None:
    assert CURVE.longest_days == SUPPORT * CURVE.steps * 7
    assert np.isnan(CURVE.days_left(np.array([0.0, 1e-6, np.nan]))).all()


def test_true_hazards_are_recovered() -> None:
    departures = draw_departures(60_000)
    fitted = fit_survival(departures, 7.0)
    assert fitted is not None
    assert [hazard.first_step for hazard in fitted.hazards] == [1, 2, 3, 5]
    probabilities = np.array([0.05, 0.2, 0.4, 0.6])
    days = np.array([7.0, 14.0, 28.0, 56.0])
    expected = CURVE.survival(probabilities, days)
    np.testing.assert_allclose(fitted.survival(probabilities, days), expected, atol=0.015)


def test_few_users_who_leave_give_lines_near_each_other() -> None:
    fitted = fit_survival(draw_departures(400), 7.0)
    assert fitted is not None
    slopes = [hazard.slope_below for hazard in fitted.hazards]
    assert max(slopes) - min(slopes) < 1


def test_too_few_users_who_leave_give_no_curve() -> None:
    departures = draw_departures(60_000)
    late = np.flatnonzero(departures.has_left & (departures.steps > 0))[MIN_LEAVERS - 1 :]
    departures.has_left[late] = False
    assert departures.leavers == MIN_LEAVERS - 1
    assert fit_survival(departures, 7.0) is None


def test_a_chance_that_says_nothing_of_later_gives_the_same_hazard_to_all() -> None:
    chance = np.random.default_rng(1)
    rows = 20_000
    step = chance.geometric(0.1, rows)
    departures = Departures(chance.normal(size=rows), np.minimum(step, 6), step <= 6)
    fitted = fit_survival(departures, 7.0)
    assert fitted is not None
    for hazard in fitted.hazards:
        assert sigmoid(np.array([hazard.level]))[0] == pytest.approx(0.1, abs=0.01)
        assert max(hazard.slope_below, hazard.slope_above) < 0.1


def test_a_curve_read_from_its_json_gives_the_same_days_left() -> None:
    stored = SurvivalCurve.model_validate_json(CURVE.model_dump_json())
    probabilities = np.linspace(0, 1, 500)
    np.testing.assert_array_equal(stored.days_left(probabilities), CURVE.days_left(probabilities))
