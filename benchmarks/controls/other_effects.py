"""Other ways to learn effects from a trial, with the learner of the project where they need one.

Two models, S- and X-learner: Künzel et al., Metalearners for Estimating Heterogeneous Treatment
Effects, 2019. R-learner: Nie and Wager, Quasi-Oracle Estimation, 2021. DR-learner: Kennedy, Towards
Optimal Doubly Robust Estimation, 2023.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ds_assets.core.models.arrays import Floats, Matrix
from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets.core.models.learning.learner import (
    LINEAR_SHARE,
    fit_classifier,
    fit_regressor,
    hyper_parameters,
)
from ds_assets.core.promotions.uplift.trial import Trial, effect_scores

SEED = 0
Effects = Callable[[Matrix], Floats]
"""Effect on each row of a matrix."""


def learners() -> Mapping[str, Callable[[Trial], Effects]]:
    """Learners of effects by name."""
    return {
        "two models": two_models,
        "S-learner": single_model,
        "X-learner": x_learner,
        "R-learner": r_learner,
        "DR-learner": dr_learner,
    }


def two_models(trial: Trial) -> Effects:
    without, treated = _arms(trial)
    return lambda matrix: treated(matrix) - without(matrix)


def single_model(trial: Trial) -> Effects:
    def with_arm(matrix: Matrix, arm: Floats) -> Matrix:
        return np.column_stack([matrix, arm]).astype(np.float32)

    rows = with_arm(trial.matrix, trial.treated.astype(float))
    model = fit_classifier(rows, trial.wanted, LINEAR_SHARE, SEED)

    def effects(matrix: Matrix) -> Floats:
        without, treated = (
            sigmoid(model.log_odds(with_arm(matrix, np.full(len(matrix), arm))))
            for arm in (0.0, 1.0)
        )
        return np.asarray(treated - without)

    return effects


def x_learner(trial: Trial) -> Effects:
    without, treated = _cross_fitted(trial)
    happened, which, share = trial.wanted.astype(float), trial.treated, trial.propensity.mean()
    on_treated = fit_regressor(trial.matrix[which], (happened - without)[which], SEED)
    on_control = fit_regressor(trial.matrix[~which], (treated - happened)[~which], SEED)
    return lambda matrix: np.asarray(
        share * on_control.values(matrix) + (1 - share) * on_treated.values(matrix)
    )


def r_learner(trial: Trial) -> Effects:
    import lightgbm  # noqa: PLC0415  # slow to import

    without, treated = _cross_fitted(trial)
    mean = trial.propensity * treated + (1 - trial.propensity) * without
    excess = trial.treated - trial.propensity
    settings = {**hyper_parameters(len(trial)), "seed": SEED, "verbosity": -1}
    trees = int(settings.pop("num_iterations"))
    outcomes = (trial.wanted - mean) / excess
    rows = lightgbm.Dataset(trial.matrix, outcomes, weight=excess**2)
    learner = lightgbm.train(settings, rows, trees)
    return lambda matrix: np.asarray(learner.predict(matrix))


def dr_learner(trial: Trial) -> Effects:
    without, treated = _cross_fitted(trial)
    scores = effect_scores(trial, trial.wanted.astype(float), without, treated)
    return fit_regressor(trial.matrix, scores, SEED).values


def _arms(trial: Trial) -> tuple[Effects, Effects]:
    """Chances without and with treatment, by a model of each arm alone."""

    def chances(treated: bool) -> Effects:
        rows = trial.treated == treated
        model = fit_classifier(trial.matrix[rows], trial.wanted[rows], LINEAR_SHARE, SEED)
        return lambda matrix: sigmoid(model.log_odds(matrix))

    return chances(treated=False), chances(treated=True)


def _cross_fitted(trial: Trial) -> tuple[Floats, Floats]:
    without, treated = np.empty(len(trial)), np.empty(len(trial))
    for training, inside in trial.splits():
        control_model, treated_model = _arms(trial.rows(training))
        without[inside] = control_model(trial.matrix[inside])
        treated[inside] = treated_model(trial.matrix[inside])
    return without, treated
