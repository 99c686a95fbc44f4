"""How well expected spend agrees with what was spent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_assets.core.models.evaluation.spend_measures import SpendMeasures, measure_spend

USERS = 5_000
AMOUNTS = st.floats(0.01, 1e4)


def make_spend(seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed)
    return np.where(drawn.random(USERS) < 0.3, drawn.lognormal(2, 1, USERS), 0.0)


def measured(
    expected: np.ndarray, spend: np.ndarray, intervals: tuple[np.ndarray, np.ndarray] | None = None
) -> SpendMeasures:
    measures = measure_spend(expected, spend, intervals or (spend, spend), seed=0)
    assert measures is not None
    return measures


def test_expectations_that_come_true_are_perfect() -> None:
    spend = make_spend()
    measures = measured(spend, spend)
    assert measures.gini.value == pytest.approx(1.0)
    assert measures.decile_error.value == pytest.approx(0.0)
    assert measures.total_ratio.value == pytest.approx(1.0)
    assert measures.top_share.value == measures.best_top_share.value
    assert measures.coverage is not None
    assert measures.coverage.value == 1.0


def test_a_random_order_has_no_gini_and_the_reverse_a_negative_one() -> None:
    spend = make_spend()
    shuffled = np.random.default_rng(1).permutation(spend)
    measures = measured(shuffled, spend)
    assert measures.gini.value == pytest.approx(0.0, abs=0.05)
    assert measures.top_share.value == pytest.approx(0.1, abs=0.04)
    assert measured(spend.max() - spend, spend).gini.value < -0.9


def test_gini_and_top_are_those_of_the_definition() -> None:
    """Area between the curve of shares and the diagonal, with the trapezoidal rule."""
    spend, expected = np.array([0.0, 1.0, 5.0, 4.0]), np.array([4.0, 1.0, 3.0, 2.0])
    area = np.trapezoid([0, 0, 0.5, 0.9, 1.0], dx=0.25) - 0.5
    best = np.trapezoid([0, 0.5, 0.9, 1.0, 1.0], dx=0.25) - 0.5
    measures = measured(expected, spend)
    assert measures.gini.value == pytest.approx(area / best)
    assert (measures.top_share.value, measures.best_top_share.value) == (0.0, 0.5)


def test_totals_and_tenths_show_what_is_expected_too_much() -> None:
    spend = make_spend()
    measures = measured(1.5 * spend, spend)
    assert measures.total_ratio.value == pytest.approx(1.5)
    assert measures.decile_error.value == pytest.approx(0.5)


def test_coverage_counts_users_with_an_interval_that_is_not_nothing() -> None:
    spend = make_spend()
    high = np.where(np.arange(USERS) % 2, 10.0, 0.0)
    coverage = measured(spend, spend, (np.zeros(USERS), high)).coverage
    assert coverage is not None
    assert coverage.value == pytest.approx(np.mean(spend[1::2] <= 10.0))
    nothing = np.zeros(USERS)
    assert measured(spend, spend, (nothing, nothing)).coverage is None


def test_intervals_contain_the_value_and_narrow_with_users() -> None:
    spend, expected = make_spend(), make_spend(1) + 1.0
    few, many = (
        measured(expected[:users], spend[:users], (np.zeros(users), expected[:users]))
        for users in (500, USERS)
    )
    for name, measure in many:
        assert measure.low <= measure.value <= measure.high, name
        assert measure.high - measure.low < getattr(few, name).high - getattr(few, name).low, name


def test_refunds_beyond_what_was_paid_count_as_nothing() -> None:
    spend, expected = make_spend(), make_spend(1) + 1.0
    assert measured(expected, np.where(spend > 0, spend, -5.0), (spend, spend)) == measured(
        expected, spend
    )


@pytest.mark.parametrize("spend", [np.zeros(10), np.full(10, 3.0), np.full(1, 3.0)])
def test_without_differences_in_spend_there_is_nothing_to_measure(spend: np.ndarray) -> None:
    assert measure_spend(np.ones(len(spend)), spend, (spend, spend), seed=0) is None


def test_without_expectations_there_is_nothing_to_measure() -> None:
    spend = make_spend()
    assert measure_spend(np.zeros(USERS), spend, (spend, spend), seed=0) is None


@settings(deadline=None)
@given(
    users=st.lists(st.tuples(AMOUNTS, st.just(0.0) | AMOUNTS), min_size=2, max_size=30),
    worth=st.sampled_from([0.001, 7.0, 1e6]),
)
def test_measures_are_in_their_bounds_and_the_same_in_every_currency(
    users: list[tuple[float, float]], worth: float
) -> None:
    expected, spend = np.array(users).T
    high = 2 * expected
    measures = measure_spend(expected, spend, (np.zeros(len(users)), high), seed=0)
    if measures is None:
        assert spend.min() == spend.max()
        return
    assert -1.0001 <= measures.gini.value <= 1.0001
    assert 0 <= measures.top_share.value <= measures.best_top_share.value + 1e-9 <= 1.0001
    assert abs(measures.total_ratio.value - 1) <= measures.decile_error.value + 1e-9
    other = measured(worth * expected, worth * spend, (np.zeros(len(users)), worth * high))
    for name, measure in measures:
        assert getattr(other, name).value == pytest.approx(measure.value, abs=1e-6), name
