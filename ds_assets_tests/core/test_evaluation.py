import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)

from ds_assets.core import evaluation
from ds_assets.core.evaluation import measure, recency_scores


def drawn(users: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    probabilities = chance.random(users)
    return chance.random(users) < probabilities, probabilities


judged = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])), min_size=2
).filter(lambda rows: len({label for label, _ in rows}) == 2)


@pytest.mark.slow
@given(judged)
def test_measures_are_those_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.array([score for _, score in rows])
    found = measure(labels, scores, -scores, seed=0)
    assert found.auc.value == pytest.approx(roc_auc_score(labels, scores))
    assert found.pr_auc.value == pytest.approx(average_precision_score(labels, scores))
    assert found.log_loss.value == pytest.approx(log_loss(labels, scores))
    assert found.brier.value == pytest.approx(brier_score_loss(labels, scores))
    assert found.recency_auc.value == pytest.approx(roc_auc_score(labels, -scores))


@given(judged, st.data())
def test_areas_of_weighted_rows_are_those_of_scikit_learn(
    rows: list[tuple[bool, float]], data: st.DataObject
) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.array([score for _, score in rows])
    counts = st.lists(st.integers(1, 5), min_size=len(rows), max_size=len(rows))
    weights = np.array(data.draw(counts), dtype=np.float64)
    auc, precision = evaluation._areas(evaluation._ranked(scores, labels), weights)
    assert auc == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights))
    expected = average_precision_score(labels, scores, sample_weight=weights)
    assert precision == pytest.approx(expected)


def test_an_interval_holds_its_value_and_narrows_with_more_users() -> None:
    few = measure(*drawn(200), drawn(200)[1], seed=0).auc
    many = measure(*drawn(20_000), drawn(20_000)[1], seed=0).auc
    assert few.low < few.value < few.high
    assert many.low < many.value < many.high
    assert many.high - many.low < (few.high - few.low) / 5


def test_the_interval_has_the_width_that_theory_gives_a_mean() -> None:
    labels, probabilities = drawn(2_000)
    found = measure(labels, probabilities, probabilities, seed=0).brier
    errors = (probabilities - labels) ** 2
    expected = 2 * 1.96 * errors.std() / np.sqrt(len(errors))
    assert found.high - found.low == pytest.approx(expected, rel=0.2)


def test_the_same_seed_gives_the_same_intervals() -> None:
    labels, scores = drawn(500)
    assert measure(labels, scores, scores, seed=4) == measure(labels, scores, scores, seed=4)
    assert measure(labels, scores, scores, seed=4) != measure(labels, scores, scores, seed=5)


def test_two_users_are_enough_to_measure() -> None:
    found = measure(np.array([True, False]), np.array([0.9, 0.1]), np.array([0.0, 1.0]), seed=0)
    assert found.auc.value == found.auc.low == found.auc.high == 1.0
    assert found.recency_auc.value == 0.0


@pytest.mark.parametrize("label", [True, False])
def test_users_of_one_outcome_cannot_be_measured(label: bool) -> None:
    with pytest.raises(ValueError, match="both outcomes"):
        measure(np.full(3, label), np.full(3, 0.5), np.zeros(3), seed=0)


def test_the_recency_rule_ranks_churn_by_days_away() -> None:
    features = pd.DataFrame({"days_since_active": [0.0, 9.0, 3.0]})
    assert recency_scores("churn", features).tolist() == [0.0, 9.0, 3.0]


def test_the_recency_rule_ranks_payment_by_the_last_purchase_and_non_payers_last() -> None:
    features = pd.DataFrame({"days_since_purchase": [2.0, np.nan, 80.0]})
    assert recency_scores("payment", features).tolist() == [-2.0, -np.inf, -80.0]
