from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.learning import learner
from ds_assets.core.models.learning.learner import (
    LINEAR_SHARE,
    FittedClassifier,
    FittedRegressor,
    fit_classifier,
    fit_regressor,
    hyper_parameters,
)
from ds_assets.core.models.learning.onnx_export import as_onnx, classifier_onnx
from ds_assets_tests.core.models.tree_factories import make_matrix


def labels_of(matrix: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray(np.nan_to_num(matrix[:, 0]) + np.nan_to_num(matrix[:, 2]) > 0)


def classifier(matrix: NDArray[np.float32], seed: int = 0) -> FittedClassifier:
    return fit_classifier(matrix, labels_of(matrix), LINEAR_SHARE, seed)


def regressor(matrix: NDArray[np.float32], seed: int = 0) -> FittedRegressor:
    return fit_regressor(matrix, np.nan_to_num(matrix[:, 0]).astype(np.float64), seed)


both = pytest.mark.parametrize("fit", [classifier, regressor])
Fit = Callable[..., FittedClassifier | FittedRegressor]


def test_leaves_grow_with_the_rows() -> None:
    assert hyper_parameters(1_000)["min_data_in_leaf"] == 20
    assert hyper_parameters(100_000)["min_data_in_leaf"] == 500


def test_what_happened_has_the_higher_log_odds() -> None:
    matrix = make_matrix(1_000)
    log_odds = classifier(matrix).log_odds(matrix)
    assert log_odds.shape == (1_000,)
    labels = labels_of(matrix)
    assert log_odds[labels].min() > log_odds[~labels].mean()


def test_values_are_near_those_that_were_learnt() -> None:
    matrix = make_matrix(1_000)
    values = regressor(matrix).values(matrix)
    assert np.abs(values - np.nan_to_num(matrix[:, 0])).mean() < 0.1


def test_no_rows_give_no_answers() -> None:
    matrix = make_matrix(200)
    assert classifier(matrix).log_odds(matrix[:0]).shape == (0,)
    assert regressor(matrix).values(matrix[:0]).shape == (0,)


@both
def test_empty_constant_and_enormous_columns_can_be_learnt_from(fit: Fit) -> None:
    trees = fit(make_matrix(300))
    strange = np.full((3, 11), np.nan, dtype=np.float32)
    strange[1], strange[2] = np.finfo(np.float32).max, np.finfo(np.float32).min
    for answers in (trees.learner.sums(strange), trees.learner.sums(make_matrix(50, 3))):
        assert np.isfinite(answers).all()


def test_a_value_in_a_column_that_was_empty_changes_nothing() -> None:
    matrix = make_matrix(300)
    filled = matrix.copy()
    filled[:, 10] = 7.0
    trees = classifier(matrix)
    np.testing.assert_array_equal(trees.log_odds(filled), trees.log_odds(matrix))


def test_the_matrix_stays_as_it_was() -> None:
    matrix = make_matrix(300)
    before = matrix.copy()
    classifier(matrix)
    np.testing.assert_array_equal(matrix, before)


@both
def test_the_same_seed_gives_the_same_trees_and_another_others(fit: Fit) -> None:
    matrix = make_matrix(300)
    assert as_onnx(fit(matrix, 1).learner) == as_onnx(fit(matrix, 1).learner)
    assert as_onnx(fit(matrix, 1).learner) != as_onnx(fit(matrix, 2).learner)


def rare(matrix: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """Labels of which few are positive, by chance that grows with a feature."""
    chance = share * np.exp(np.nan_to_num(matrix[:, 0]).clip(-2, 2) - 0.5)
    return np.random.default_rng(3).random(len(matrix)) < chance


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_a_model_of_a_sample_gives_the_probabilities_of_all_rows(share: float) -> None:
    matrix = make_matrix(20_000)
    labels = rare(matrix, share)
    fitted = fit_classifier(matrix, labels, LINEAR_SHARE, 0, max_rows=4_000)
    sigmoid = 1 / (1 + np.exp(-fitted.log_odds(matrix)))
    assert sigmoid.mean() == pytest.approx(labels.mean(), rel=0.15)
    whole = fit_classifier(matrix, labels, LINEAR_SHARE, 0)
    assert np.corrcoef(fitted.log_odds(matrix), whole.log_odds(matrix))[0, 1] > 0.8


def rows_of_two_snapshots(labels: NDArray[np.bool_], matrix: NDArray[np.float32]) -> Rows:
    ages = np.repeat([1, 0], len(labels) // 2)
    return Rows(matrix, labels, np.full(len(labels), "", dtype=object), None, ages)


@pytest.mark.parametrize("slope", [0.8, 1.0, 1.25])
def test_a_calibrated_model_has_the_level_of_its_latest_rows(slope: float) -> None:
    matrix = make_matrix(2_000)
    rows = rows_of_two_snapshots(rare(matrix, 0.3), matrix)
    fitted = fit_classifier(matrix, rows.labels, LINEAR_SHARE, 0).calibrated(rows, slope)
    weights = np.where(rows.ages == 0, 1.0, 0.5)
    probabilities = 1 / (1 + np.exp(-fitted.log_odds(matrix)))
    assert weights @ probabilities == pytest.approx(weights @ rows.labels)
    assert fitted.line.slope == slope
    assert fitted.calibrated(rows, slope).line == fitted.line


def test_the_level_of_many_rows_is_that_of_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = make_matrix(4_000)
    rows = rows_of_two_snapshots(rare(matrix, 0.5), matrix)
    fitted = fit_classifier(matrix, rows.labels, LINEAR_SHARE, 0)
    whole = fitted.calibrated(rows).line.intercept
    monkeypatch.setattr(learner, "MAX_LEVEL_ROWS", 1_500)
    assert fitted.calibrated(rows).line.intercept == pytest.approx(whole, abs=0.15)
    assert fitted.calibrated(rows).line.intercept != whole


def test_latest_rows_of_one_outcome_alone_leave_the_level_to_all_rows() -> None:
    matrix = make_matrix(400)
    rows = rows_of_two_snapshots(np.arange(400) < 100, matrix)
    rows = replace(rows, ages=np.repeat([5, 0], 200))
    fitted = fit_classifier(matrix, rows.labels, LINEAR_SHARE, 0).calibrated(rows)
    assert np.isfinite(fitted.line.intercept)


def test_a_sample_keeps_the_rare_label() -> None:
    labels = np.zeros(10_000, dtype=bool)
    labels[:60] = True
    for given, kept_of in ((labels, 60), (~labels, 940)):
        kept, correction = learner._balanced_sample(given, 1_000, seed=0)
        assert given[kept].sum() == kept_of
        assert len(kept) == len(set(kept.tolist())) == 1_000
        odds = given[kept].mean() / (1 - given[kept].mean())
        assert np.log(odds) + correction == pytest.approx(
            np.log(given.mean() / (1 - given.mean())), abs=1e-9
        )


def test_a_stored_model_of_a_sample_says_what_the_fitted_one_says() -> None:
    matrix = make_matrix(5_000)
    fitted = fit_classifier(matrix, rare(matrix, 0.05), LINEAR_SHARE, 0, max_rows=1_000)
    session = InferenceSession(classifier_onnx(fitted))
    (stored,) = session.run(["probabilities"], {"X": matrix})
    np.testing.assert_allclose(
        stored[:, 1], 1 / (1 + np.exp(-fitted.log_odds(matrix))), rtol=1e-3, atol=1e-5
    )
    again = fit_classifier(matrix, rare(matrix, 0.05), LINEAR_SHARE, 0, max_rows=1_000)
    assert np.array_equal(again.log_odds(matrix), fitted.log_odds(matrix))


def test_fewer_rows_than_the_bound_are_all_fitted_to() -> None:
    matrix = make_matrix(500)
    labels = labels_of(matrix)
    bounded = fit_classifier(matrix, labels, LINEAR_SHARE, 0, max_rows=500)
    assert np.array_equal(bounded.log_odds(matrix), classifier(matrix).log_odds(matrix))
