import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.promotions.uplift.effects import fit_line
from ds_assets.core.promotions.uplift.measures import (
    measure_mean,
    measure_rankings,
    measure_slope,
    measure_tenths,
)
from ds_assets.core.promotions.uplift.trial import effect_scores
from ds_assets_tests.core.promotions.uplift.factories import make_trial, true_effects

TRIAL = make_trial(rows=8_000, seed=3)
EFFECTS = true_effects(TRIAL)
HAPPENED = TRIAL.wanted.astype(float)
SCORES = effect_scores(TRIAL, HAPPENED, np.full(len(TRIAL), 0.4), 0.4 + EFFECTS)
ONES = np.ones(len(TRIAL))


def test_the_best_ranking_finds_the_users_on_whom_the_effect_is_largest() -> None:
    rankings = {"best": EFFECTS, "worst": -EFFECTS, "none": np.zeros(len(TRIAL))}
    measures = measure_rankings(TRIAL, HAPPENED, rankings, seed=0)
    assert measures["best"].top_uplift.low < 0.4 < measures["best"].top_uplift.high
    assert measures["worst"].top_uplift.low < -0.2 < measures["worst"].top_uplift.high
    assert measures["best"].qini.low > 0 > measures["worst"].qini.high


def test_a_ranking_that_ranks_nobody_gains_what_a_random_order_gains() -> None:
    measures = measure_rankings(TRIAL, HAPPENED, {"none": np.zeros(len(TRIAL))}, seed=0)["none"]
    treated, control = HAPPENED[TRIAL.treated].mean(), HAPPENED[~TRIAL.treated].mean()
    assert measures.top_uplift.value == pytest.approx(treated - control)
    assert measures.qini.value == pytest.approx(0, abs=1e-12)


def test_the_top_tenth_is_measured_as_the_difference_of_its_arms() -> None:
    scores = np.random.default_rng(0).permutation(len(TRIAL)).astype(float)
    measures = measure_rankings(TRIAL, HAPPENED, {"any": scores}, seed=0)["any"]
    top = scores >= 0.9 * len(TRIAL)
    plain = HAPPENED[top & TRIAL.treated].mean() - HAPPENED[top & ~TRIAL.treated].mean()
    assert measures.top_uplift.value == pytest.approx(plain)


def test_the_last_gain_of_every_ranking_is_the_average_effect() -> None:
    rankings = {"best": EFFECTS, "first": TRIAL.matrix[:, 1].astype(float)}
    measures = measure_rankings(TRIAL, HAPPENED, rankings, seed=0)
    assert measures["best"].gains[-1] == pytest.approx(measures["first"].gains[-1])
    assert measures["best"].gains[0] == 0


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_a_ranking_depends_on_the_order_alone(factor: float, shift: float) -> None:
    trial = TRIAL.rows(np.arange(300))
    scores = np.round(trial.matrix[:, 0].astype(float), 2)
    rankings = {"plain": scores, "moved": np.round(factor * scores, 6) + np.round(shift, 3)}
    measures = measure_rankings(trial, HAPPENED[:300], {"plain": scores}, seed=0)
    moved = measure_rankings(trial, HAPPENED[:300], {"plain": rankings["moved"]}, seed=0)
    assert measures["plain"].qini.value == pytest.approx(moved["plain"].qini.value, abs=1e-3)


def test_effects_that_are_predicted_as_they_are_have_a_slope_of_one() -> None:
    line = fit_line(EFFECTS, SCORES, ONES)
    right, doubled = (measure_slope(it, SCORES, ONES, line) for it in (EFFECTS, 2 * EFFECTS))
    assert right is not None
    assert doubled is not None
    assert right.low < 1 < right.high
    assert doubled.high < 1
    assert doubled.value == pytest.approx(right.value / 2)


def test_the_same_prediction_for_all_has_no_slope() -> None:
    same = np.full(len(TRIAL), 0.1)
    assert measure_slope(same, SCORES, ONES, fit_line(same, SCORES, ONES)) is None


def test_the_interval_of_a_slope_allows_for_a_calibration_that_was_estimated_too() -> None:
    generator, ones = np.random.default_rng(0), np.ones(400)

    def holds_one() -> bool:
        earlier, later = generator.normal(size=(2, 400))
        line = fit_line(earlier, earlier + generator.normal(0, 2, 400), ones)
        scores = later + generator.normal(0, 2, 400)
        slope = measure_slope(line.effects(later), scores, ones, line)
        return slope is not None and slope.low <= 1 <= slope.high

    assert 0.93 < np.mean([holds_one() for _ in range(800)]) < 0.97


def test_tenths_descend_and_hold_all_users() -> None:
    predicted = EFFECTS + 0.01 * TRIAL.matrix[:, 1]
    tenths = measure_tenths(predicted, SCORES, ONES)
    assert sum(tenth.users for tenth in tenths) == len(TRIAL)
    assert [tenth.predicted for tenth in tenths] == sorted(
        (tenth.predicted for tenth in tenths), reverse=True
    )
    assert tenths[0].measured.low < 0.4 < tenths[0].measured.high


def test_the_interval_of_a_mean_covers_it_in_19_of_20_samples() -> None:
    generator = np.random.default_rng(0)
    weights = generator.uniform(0.5, 2, 200)
    means = [measure_mean(generator.normal(size=200), weights) for _ in range(500)]
    assert 0.92 < np.mean([mean.low < 0 < mean.high for mean in means]) < 0.98
