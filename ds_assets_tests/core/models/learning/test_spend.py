"""What users spend if they pay: few whales decide little, and later spend validates it."""

import numpy as np
import pytest

from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.learning.learner import FittedRegressor
from ds_assets.core.models.learning.spend import (
    MIN_PAYERS,
    FittedAmounts,
    SpendCard,
    amounts_of,
    fit_amounts,
    validate_amounts,
)


def make_rows(rows: int = 2_000, seed: int = 0) -> Rows:
    """A third pays; the second feature says how much."""
    chance = np.random.default_rng(seed)
    matrix = chance.random((rows, 3)).astype(np.float32)
    paid = chance.random(rows) < 1 / 3
    spend = np.where(paid, (2 + 20 * matrix[:, 1]) * chance.lognormal(0, 0.4, rows), 0.0)
    return Rows(matrix, paid, np.full(rows, "", dtype=object), spend)


def with_spend(rows: Rows, spend: np.ndarray) -> Rows:
    return Rows(rows.matrix, rows.labels, rows.groups, spend)


def with_whales(rows: Rows) -> Rows:
    """Five payers who spend a hundred thousand each."""
    assert rows.spend is not None
    spend = rows.spend.copy()
    spend[np.flatnonzero(rows.labels)[:5]] = 1e5
    return with_spend(rows, spend)


def fitted(rows: Rows) -> FittedAmounts:
    fitted_amounts = fit_amounts(rows, seed=0)
    assert fitted_amounts is not None
    return fitted_amounts


def judged(rows: Rows, validation: Rows, chance: float = 1 / 3) -> SpendCard:
    return validate_amounts(
        fitted(rows), validation, np.full(len(validation.labels), chance), seed=0
    )


def test_amounts_follow_what_was_spent() -> None:
    rows, later = make_rows(), make_rows(seed=1)
    amounts = fitted(rows).amounts(later.matrix)
    assert later.spend is not None
    paid = later.labels
    assert np.corrcoef(amounts[paid], later.spend[paid])[0, 1] > 0.6
    assert fitted(rows).payers == rows.labels.sum()
    assert (amounts >= 0).all()


def test_a_few_whales_move_nobodys_expectation_much() -> None:
    rows = make_rows()
    usual, later = fitted(rows).amounts(rows.matrix), fitted(with_whales(rows))
    assert later.cap < 100
    assert later.above_cap > 0.9
    np.testing.assert_allclose(later.amounts(rows.matrix), usual, rtol=0.5)
    assert later.amounts(rows.matrix).mean() == pytest.approx(usual.mean(), rel=0.05)


def test_the_cap_is_the_quantile_and_what_lies_above_is_told() -> None:
    rows = make_rows()
    assert rows.spend is not None
    spend = rows.spend[rows.labels]
    fitted_amounts = fitted(rows)
    assert fitted_amounts.cap == np.quantile(spend, 0.99)
    assert fitted_amounts.above_cap == pytest.approx(
        1 - np.minimum(spend, fitted_amounts.cap).sum() / spend.sum()
    )
    assert 0 < fitted_amounts.above_cap < 0.05


def test_the_factor_makes_amounts_add_up_to_what_was_spent_below_the_cap() -> None:
    rows, later = make_rows(), make_rows(seed=1)
    amounts, card = fitted(rows), judged(rows, later)
    assert later.spend is not None
    paid = later.labels
    expected = np.minimum(later.spend[paid], amounts.cap).sum()
    assert card.factor * amounts.amounts(later.matrix[paid]).sum() == pytest.approx(expected)
    assert 1.0 < card.factor < 1.3  # the mean of logarithms lies below the logarithm of the mean


def test_what_is_expected_of_all_is_what_all_spend() -> None:
    card = judged(make_rows(), make_rows(seed=1))
    later = make_rows(seed=1)
    assert later.spend is not None
    assert card.happened.value == pytest.approx(later.spend.mean())
    assert card.predicted == pytest.approx(card.happened.value, rel=0.1)
    assert card.happened.low < card.happened.value < card.happened.high


def test_expected_spend_is_the_chance_times_the_amount() -> None:
    rows, later = make_rows(), make_rows(seed=1)
    sigmoid = np.linspace(0, 1, len(later.labels))
    card = validate_amounts(fitted(rows), later, sigmoid, seed=0)
    expected = sigmoid * card.factor * fitted(rows).amounts(later.matrix)
    assert card.predicted == pytest.approx(expected.mean())


def test_the_top_tenth_brings_more_than_a_tenth() -> None:
    rows, later = make_rows(), make_rows(seed=1)
    assert 0.12 < judged(rows, later).top_share < 0.4
    sure = validate_amounts(fitted(rows), later, later.labels.astype(float), seed=0)
    assert sure.top_share > 0.35


def test_too_few_payers_are_none() -> None:
    rows = make_rows()
    assert rows.spend is not None
    paid = np.cumsum(rows.labels) <= MIN_PAYERS
    enough, few = rows.chosen(paid), rows.chosen(np.cumsum(rows.labels) < MIN_PAYERS)
    assert fitted(enough).payers == MIN_PAYERS
    assert fit_amounts(few, seed=0) is None
    assert fit_amounts(with_spend(rows, np.zeros(len(rows.labels))), seed=0) is None


def test_without_spend_there_are_no_amounts() -> None:
    rows = make_rows()
    assert fit_amounts(Rows(rows.matrix, rows.labels, rows.groups, None), seed=0) is None


def test_purchases_of_nothing_count_as_nothing() -> None:
    rows = make_rows()
    assert rows.spend is not None
    half = np.where(np.arange(len(rows.spend)) % 2, rows.spend, 0.0)
    fitted_amounts = fitted(with_spend(rows, half))
    assert fitted_amounts.payers == rows.labels.sum()
    assert fitted_amounts.amounts(rows.matrix).mean() < fitted(rows).amounts(rows.matrix).mean() / 2


def test_users_of_whom_nobody_paid_can_judge() -> None:
    later = make_rows(seed=1)
    nobody = Rows(later.matrix, np.zeros(2_000, dtype=bool), later.groups, np.zeros(2_000))
    card = judged(make_rows(), nobody)
    assert (card.factor, card.top_share, card.happened.value) == (1.0, 0.0, 0.0)
    assert card.predicted > 0


def test_spend_that_nobody_asked_for_counts_as_nothing() -> None:
    later = make_rows(seed=1)
    card = judged(make_rows(), Rows(later.matrix, later.labels, later.groups, None))
    assert (card.factor, card.happened.value, card.top_share) == (0.0, 0.0, 0.0)


def test_one_user_can_judge() -> None:
    rows = make_rows()
    card = judged(rows, make_rows(seed=1).chosen(np.arange(2_000) == 0))
    assert np.isfinite([card.factor, card.predicted, card.top_share]).all()


def test_amounts_are_never_negative_and_never_without_number() -> None:
    amounts = amounts_of(np.array([-3.0, 0.0, np.log(11.0)]), factor=2.0)
    np.testing.assert_allclose(amounts, [0.0, 0.0, 20.0])


def test_enormous_amounts_are_safe() -> None:
    rows = make_rows()
    assert rows.spend is not None
    fitted_amounts = fitted(with_spend(rows, rows.spend * 1e12))
    assert np.isfinite(fitted_amounts.amounts(rows.matrix)).all()
    assert isinstance(fitted_amounts.trees, FittedRegressor)


def test_refunds_beyond_what_was_paid_are_safe() -> None:
    rows = make_rows()
    assert rows.spend is not None
    spend = np.where(rows.labels & (np.arange(2_000) % 40 == 0), -30.0, rows.spend)
    fitted_amounts = fitted(with_spend(rows, spend))
    assert np.isfinite(fitted_amounts.amounts(rows.matrix)).all()
    assert 0 <= fitted_amounts.above_cap < 0.1
    card = judged(with_spend(rows, spend), with_spend(rows, spend))
    assert card.factor > 0
    assert 0 < card.top_share < 1
    assert card.happened.value == pytest.approx(spend.mean())
