import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_info  # type: ignore[import-untyped]

from ds_assets.core.models.arrays import Floats, Matrix
from ds_assets.core.models.data.training_rows import Rows, encoding_of, rows_of
from ds_assets.core.models.evaluation.baselines import recency_scores
from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets.core.models.learning.linear_model import (
    BINS,
    bin_contributions,
    binned_contribution,
    fit_linear,
)
from ds_assets_tests.core.factories import FIRST_DAY, make_snapshot, make_target
from ds_assets_tests.core.models.tree_factories import make_matrix


def chances_of(training: Rows, matrix: Matrix) -> Floats:
    return sigmoid(fit_linear(training.matrix, training.labels).log_odds(matrix))


def split(users: int = 1_000) -> tuple[Rows, Rows]:
    training, validation = make_snapshot(FIRST_DAY, users, seed=1), make_snapshot(FIRST_DAY, users)
    encoding = encoding_of([training])
    return rows_of([training], encoding), rows_of([validation], encoding)


def test_linear_model_learns_what_recency_alone_cannot_say() -> None:
    training, validation = split()
    chances = chances_of(training, validation.matrix)
    assert chances.shape == (1_000,)
    assert ((chances > 0) & (chances < 1)).all()
    assert chances.mean() == pytest.approx(validation.labels.mean(), abs=0.05)
    recency = recency_scores(make_target(), make_snapshot(FIRST_DAY, 1_000).features)
    assert (
        roc_auc_score(validation.labels, chances) > roc_auc_score(validation.labels, recency) + 0.05
    )


def test_linear_model_does_not_look_at_those_it_judges() -> None:
    training, validation = split(300)
    whole = chances_of(training, validation.matrix)
    alone = chances_of(training, validation.matrix[:1])
    np.testing.assert_allclose(alone, whole[:1])


def test_a_missing_value_can_say_more_than_any_number() -> None:
    chance = np.random.default_rng(0)
    matrix = chance.normal(size=(400, 1)).astype(np.float32)
    labels = chance.random(400) < 0.5
    matrix[labels & (chance.random(400) < 0.9)] = np.nan
    missing, present = np.array([[np.nan]], np.float32), np.array([[0.0]], np.float32)
    assert sigmoid(fit_linear(matrix, labels).log_odds(missing))[0] > 0.8
    assert sigmoid(fit_linear(matrix, labels).log_odds(present))[0] < 0.3


def test_empty_constant_and_enormous_columns_leave_a_linear_model_finite() -> None:
    chance = np.random.default_rng(0)
    largest = float(np.finfo(np.float32).max)
    matrix = np.column_stack(
        [
            np.full(200, np.nan),
            np.full(200, 4.2),
            chance.choice([-largest, 0.0, largest], 200),
            chance.normal(size=200),
        ]
    ).astype(np.float32)
    labels = matrix[:, 3] > 0
    strange = np.array([[1.0, -largest, np.nan, np.nan], [np.nan, 9.9, largest, 3.0]], np.float32)
    chances = sigmoid(fit_linear(matrix, labels).log_odds(strange))
    assert np.isfinite(chances).all()
    assert chances[1] > 0.5


def labels_of(matrix: Matrix) -> np.ndarray:
    return np.asarray(np.nan_to_num(matrix[:, 0]) + np.nan_to_num(matrix[:, 2]) > 0)


def test_steps_say_nearly_what_the_line_says() -> None:
    matrix = make_matrix(2_000)
    model = fit_linear(matrix, labels_of(matrix))
    unseen = make_matrix(500, 3)
    log_odds = model.intercept + binned_contribution(bin_contributions(model, matrix), unseen)
    assert np.corrcoef(log_odds, model.log_odds(unseen))[0, 1] > 0.95


def test_steps_do_not_flatten_the_tails() -> None:
    chance = np.random.default_rng(0)
    matrix = chance.lognormal(0, 2, (6_000, 1)).astype(np.float32)
    labels = chance.random(6_000) < sigmoid(np.log1p(matrix[:, 0]) - 2)
    model = fit_linear(matrix, labels)
    (steps,) = bin_contributions(model, matrix)
    assert 0 < max(steps.rows[0], steps.rows[-1]) < len(matrix) / 30
    errors = np.abs(model.intercept + steps.add(matrix) - model.log_odds(matrix))
    assert errors.mean() < 0.1


def test_each_frequent_category_has_a_chance_of_its_own() -> None:
    chance = np.random.default_rng(0)
    matrix = chance.geometric(0.3, (6_000, 1)).astype(np.float32) - 1
    chances = np.array([0.2, 0.8, 0.3, 0.9, 0.5])
    labels = chance.random(6_000) < chances[matrix[:, 0].astype(int).clip(max=4)]
    model = fit_linear(matrix, labels, categories=[0])
    (steps,) = bin_contributions(model, matrix)
    codes = np.arange(5, dtype=np.float32)[:, np.newaxis]
    np.testing.assert_allclose(sigmoid(model.log_odds(codes)), chances, atol=0.1)
    np.testing.assert_allclose(steps.add(codes), model.parts(codes)[:, 0])
    assert len(steps.values) <= BINS
    assert np.isfinite(model.log_odds(np.array([[np.nan], [400.0]], np.float32))).all()


def test_a_missing_category_is_no_category() -> None:
    matrix = np.repeat(np.array([[0.0], [1.0], [np.nan]], np.float32), 200, axis=0)
    labels = np.isnan(matrix[:, 0]) ^ (np.arange(600) % 10 == 0)
    model = fit_linear(matrix, labels, categories=[0])
    (steps,) = bin_contributions(model, matrix)
    assert sigmoid(model.log_odds(matrix[-1:]))[0] > 0.7
    assert sigmoid(model.log_odds(matrix[:1]))[0] < 0.3
    np.testing.assert_allclose(steps.add(matrix), model.parts(matrix)[:, 0])


def test_rows_that_are_repeated_change_no_weight() -> None:
    matrix = make_matrix(1_000)
    labels = labels_of(matrix) ^ (np.arange(1_000) % 7 == 0)
    model, again = (
        fit_linear(np.tile(matrix, (times, 1)), np.tile(labels, times)) for times in (1, 4)
    )
    np.testing.assert_allclose(again.weights, model.weights, atol=1e-4)
    assert np.abs(model.weights).max() > 0.1


def test_steps_add_on_average_what_the_line_adds() -> None:
    matrix = make_matrix(2_000)
    model = fit_linear(matrix, labels_of(matrix))
    by_feature = model.parts(matrix).mean(axis=0)
    for steps in bin_contributions(model, matrix):
        assert steps.add(matrix).mean() == pytest.approx(by_feature[steps.feature])


def test_a_feature_has_few_steps_each_with_training_rows_and_together_all_of_them() -> None:
    matrix = make_matrix(1_000)
    for steps in bin_contributions(fit_linear(matrix, labels_of(matrix)), matrix):
        assert 1 <= len(steps.values) <= BINS
        assert (steps.rows > 0).all()
        absent = 0 if steps.missing is None else steps.missing[1]
        assert steps.rows.sum() + absent == len(matrix)
        assert (np.diff(steps.edges) > 0).all()


def test_what_says_the_same_of_everybody_has_no_steps() -> None:
    matrix = make_matrix(500)
    features = {
        contribution.feature
        for contribution in bin_contributions(fit_linear(matrix, labels_of(matrix)), matrix)
    }
    assert 10 not in features  # always missing
    constant = np.ones((500, 1), dtype=np.float32)
    assert not bin_contributions(fit_linear(constant, labels_of(matrix)), constant)


def test_a_feature_over_the_whole_range_of_numbers_has_steps() -> None:
    largest = float(np.finfo(np.float32).max)
    matrix = np.random.default_rng(0).choice([-largest, 0, largest], (200, 1)).astype(np.float32)
    (steps,) = bin_contributions(fit_linear(matrix, matrix[:, 0] > 0), matrix)
    assert np.isfinite(steps.values).all()
    assert steps.edges.tolist() == [-largest, 0]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_missing_value_where_none_was_missing_is_taken_for_a_usual_one(value: float) -> None:
    matrix = make_matrix(200)[:, :1]
    (steps,) = bin_contributions(fit_linear(matrix, matrix[:, 0] > 0), matrix)
    missing, any_value = steps.add(np.array([[np.nan], [value]], dtype=np.float32))
    middle = len(steps.values) // 2
    assert missing in steps.values[middle - 1 : middle + 1]
    assert steps.values.min() <= any_value <= steps.values.max()


def test_many_rows_are_thinned_out_and_both_outcomes_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ds_assets.core.models.learning.linear_model.MAX_ROWS", 100)
    matrix = make_matrix(1_000)
    labels = labels_of(matrix)
    log_odds = fit_linear(matrix, labels).log_odds(matrix)
    assert roc_auc_score(labels, log_odds) > 0.8
    rare = np.arange(1_000) == 1
    assert np.isfinite(fit_linear(matrix, rare).log_odds(matrix)).all()


def test_linear_algebra_has_one_thread() -> None:
    chances_of(split(100)[0], split(100)[1].matrix)
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert {pool["num_threads"] for pool in pools} == {1}
