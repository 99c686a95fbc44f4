import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.arrays import Floats
from ds_assets.core.promotions.uplift.arms import fit_arms
from ds_assets.core.promotions.uplift.effects import EffectLine, fit_effect, fit_line
from ds_assets_tests.core.promotions.uplift.factories import (
    helps_all_alike,
    make_trial,
    true_effects,
)

ROWS = 4_000
ROUNDING = 1e-9


def fitted(noise: float, slope: float, seed: int = 0) -> EffectLine:
    generator = np.random.default_rng(seed)
    differences = generator.normal(0.05, 0.02, ROWS)
    scores = slope * differences + generator.normal(0, noise, ROWS)
    return fit_line(differences, scores, np.ones(ROWS))


def test_a_line_finds_how_much_of_the_differences_came_true() -> None:
    line = fitted(noise=0.01, slope=0.5)
    assert line.differs
    assert line.measured_slope == pytest.approx(0.5, abs=0.05)


def test_a_slope_that_noise_could_have_made_is_not_used() -> None:
    line = fitted(noise=5.0, slope=1.0)
    assert not line.differs
    assert (line.effects(np.array([-1.0, 1.0])) == line.level).all()


def test_differences_that_came_out_reversed_are_not_used() -> None:
    assert not fitted(noise=0.01, slope=-1.0).differs


def test_an_uncertain_slope_is_shrunk_more_than_a_certain_one() -> None:
    certain, uncertain = fitted(0.01, 1.0), fitted(0.3, 1.0)
    assert uncertain.differs
    assert uncertain.slope / uncertain.measured_slope < certain.slope / certain.measured_slope <= 1


def test_differences_that_folds_learnt_from_noise_are_used_in_at_most_one_of_twenty_trials() -> (
    None
):
    generator = np.random.default_rng(1)
    claims = [fit_line(*cross_fitted_noise(generator), np.ones(300)).differs for _ in range(600)]
    assert 0 < np.mean(claims) < 0.05


def cross_fitted_noise(generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Scores that nothing predicts, and what linear models of the other folds predict of them."""
    features, scores = generator.normal(size=(300, 20)), generator.normal(size=300)
    predicted, folds = np.empty(300), np.arange(300) % 5
    for fold in range(5):
        inside = folds == fold
        learnt, *_ = np.linalg.lstsq(features[~inside], scores[~inside])
        predicted[inside] = features[inside] @ learnt
    return predicted, scores


def test_models_that_predict_the_same_for_all_have_no_slope() -> None:
    line = fit_line(np.full(50, 0.1), np.arange(50.0), np.ones(50))
    assert (line.slope, line.slope_deviation, line.level) == (0.0, 0.0, 24.5)


@given(st.floats(-0.5, 0.5), st.floats(0.001, 1.0))
def test_an_interval_holds_its_effect_and_grows_away_from_the_mean(
    distance: float, deviation: float
) -> None:
    line = EffectLine(
        centre=0.0,
        level=0.1,
        level_deviation=0.01,
        measured_slope=3.0,
        slope_deviation=deviation,
        slope=3.0,
    )
    low, high = line.intervals(np.array([distance, 2 * distance]))
    effects = line.effects(np.array([distance, 2 * distance]))
    assert ((low < effects) & (effects < high)).all()
    near, far = high - low
    assert far >= near * (1 - ROUNDING)


def test_a_row_that_stands_for_more_users_counts_as_often() -> None:
    generator = np.random.default_rng(0)
    differences, scores = generator.normal(size=(2, 40))
    weights = np.repeat([1.0, 3.0], 20)
    repeated = np.repeat(np.arange(40), weights.astype(int))
    weighted = fit_line(differences, scores, weights)
    plain = fit_line(differences[repeated], scores[repeated], np.ones(len(repeated)))
    assert weighted.measured_slope == pytest.approx(plain.measured_slope)
    assert weighted.level == pytest.approx(plain.level)


def test_effects_that_differ_are_found_and_calibrated() -> None:
    trial, later = make_trial(rows=3_000), make_trial(rows=2_000, seed=1)
    model = fit_effect(trial, trial.wanted.astype(float), fit_arms, seed=0)
    assert model is not None
    effects, truth = model.effects(later), true_effects(later)
    assert np.corrcoef(effects, truth)[0, 1] > 0.9
    assert np.polyfit(effects, truth, 1)[0] == pytest.approx(1, abs=0.25)


def test_the_same_effect_on_all_users_is_said_to_be_one() -> None:
    trial = make_trial(helps_all_alike, rows=3_000)
    model = fit_effect(trial, trial.wanted.astype(float), fit_arms, seed=0)
    assert model is not None
    assert not model.line.differs
    assert model.line.average.low < 0.1 < model.line.average.high
    assert np.ptp(model.effects(trial)) == 0
