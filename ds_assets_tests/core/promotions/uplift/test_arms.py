import numpy as np
import pytest

from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets.core.models.learning.onnx_export import classifier_onnx
from ds_assets.core.promotions.uplift.arms import (
    FittedArms,
    RawArms,
    choose_own_share,
    fit_arms,
    fit_levels,
    fit_spend_arms,
    list_shortfalls,
)
from ds_assets_tests.core.promotions.uplift.factories import make_trial

GENERATOR = np.random.default_rng(0)


def raw_arms(difference: float) -> tuple[RawArms, np.ndarray, np.ndarray]:
    """Models of which the own ones know a difference between arms, or only noise."""
    rows = 4_000
    trait, treated = GENERATOR.normal(size=rows), GENERATOR.random(rows) < 0.5
    noise = GENERATOR.normal(size=(rows, 2))
    own = np.column_stack([-difference * trait, difference * trait]) + (difference == 0) * noise
    odds = np.where(treated, 1, -1) * difference * trait
    outcomes = GENERATOR.random(rows) < sigmoid(odds)
    return RawArms(np.zeros(rows), own, np.ones(rows)), outcomes, treated


def test_models_of_an_arm_that_know_more_than_that_of_both_are_used() -> None:
    assert choose_own_share(*raw_arms(difference=2.0)) == 1.0


def test_models_of_an_arm_that_know_only_noise_are_not_used() -> None:
    assert choose_own_share(*raw_arms(difference=0.0)) == 0.0


def test_each_arm_has_its_own_mean_probability() -> None:
    raw, outcomes, treated = raw_arms(difference=1.0)
    without, with_treatment = raw.expected(0.5, fit_levels(raw, 0.5, outcomes, treated))
    assert without[~treated].mean() == pytest.approx(outcomes[~treated].mean())
    assert with_treatment[treated].mean() == pytest.approx(outcomes[treated].mean())


def test_too_few_outcomes_of_an_arm_are_named() -> None:
    outcomes = np.repeat([True, False], [80, 420])
    treated = np.ones(500, dtype=bool)
    treated[:20] = treated[100:200] = False
    assert list_shortfalls(outcomes, treated, "a visit") == [
        "20 control users with a visit, where 25 are needed"
    ]


def test_a_rare_outcome_in_few_users_is_no_reason_to_fail() -> None:
    trial = make_trial(lambda x: (np.full(len(x), 0.05), np.full(len(x), 0.06)), 2_000, 0.85)
    learnt = fit_arms(trial, seed=0)
    levels = fit_levels(learnt.raw(trial), 0.25, trial.wanted, trial.treated)
    without, treated = FittedArms(learnt, 0.25, levels).expected(trial)
    assert np.isfinite(treated - without).all()


def test_expected_spend_is_the_chance_to_spend_times_the_amount() -> None:
    trial = make_trial()
    learnt = fit_spend_arms(trial, seed=0)
    assert learnt is not None
    levels = fit_levels(learnt.raw(trial), 1.0, trial.wanted, trial.treated)
    _, treated = FittedArms(learnt, 1.0, levels).expected(trial)
    assert treated[trial.treated].mean() == pytest.approx(10 * trial.wanted[trial.treated].mean())


def test_spend_of_too_few_users_has_no_model() -> None:
    trial = make_trial(lambda x: (np.full(len(x), 0.01), np.full(len(x), 0.02)))
    assert fit_spend_arms(trial, seed=0) is None


@pytest.mark.parametrize("own_share", [0.0, 0.25, 1.0])
def test_the_files_of_both_arms_predict_what_the_models_predict(own_share: float) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    trial = make_trial(rows=600)
    arms = FittedArms(fit_arms(trial, seed=0), own_share, (0.1, -0.2))
    for model, expected in zip(arms.classifiers, arms.expected(trial), strict=True):
        session = onnxruntime.InferenceSession(classifier_onnx(model))
        (chances,) = session.run(["probabilities"], {"X": trial.matrix})
        assert chances[:, 1] == pytest.approx(expected, abs=1e-5)
