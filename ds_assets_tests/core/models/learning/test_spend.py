"""What users spend if they pay: few whales decide little, and later spend validates it."""

import numpy as np
import pytest

from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.learning.learner import FittedRegressor
from ds_assets.core.models.learning.spend import (
    MAX_ABOVE_CAP,
    MIN_PAYERS,
    FittedAmounts,
    SpendCard,
    amounts_of,
    compare_spend,
    factor_of,
    fit_amounts,
    total_payers,
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


def validated(rows: Rows, validation: Rows, chance: float = 1 / 3) -> SpendCard:
    """With the factor of the same users, as if they were those of an earlier snapshot."""
    amounts = fitted(rows)
    factor = factor_of([total_payers(amounts, validation)], amounts.above_cap)
    chances = np.full(len(validation.labels), chance)
    return validate_amounts(amounts, validation, chances, factor, seed=0)


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


def test_the_factor_makes_amounts_add_up_to_what_was_spent_above_the_cap_as_well() -> None:
    rows, later = make_rows(), make_rows(seed=1)
    amounts = fitted(rows)
    factor = factor_of([total_payers(amounts, later)], amounts.above_cap)
    assert later.spend is not None
    paid = later.labels
    capped = np.minimum(later.spend[paid], amounts.cap).sum()
    assert factor * amounts.amounts(later.matrix[paid]).sum() == pytest.approx(
        capped / (1 - amounts.above_cap)
    )
    assert 1.0 < factor < 1.3  # the mean of logarithms lies below the logarithm of the mean


def heavy_tailed(seed: int, rows: int = 20_000) -> Rows:
    """Spend of a Pareto distribution, 9 % of it above the quantile of the cap."""
    base = make_rows(rows, seed)
    drawn = np.random.default_rng([seed, 9]).pareto(1.7, rows) + 1
    return with_spend(base, np.where(base.labels, 4 * drawn, 0.0))


@pytest.mark.slow
def test_the_cap_costs_nothing_of_heavy_tailed_spend_in_total() -> None:
    """Means over twenty games: the total of one depends on its few largest purchases."""
    ratios, capped_ratios = [], []
    for seed in range(20):
        rows, earlier, later = (heavy_tailed(100 * seed + n) for n in range(3))
        amounts = fitted(rows)
        factor = factor_of([total_payers(amounts, earlier)], amounts.above_cap)
        assert later.spend is not None
        foreseen = amounts.amounts(later.matrix[later.labels]).sum()
        ratios.append(later.spend.sum() / (factor * foreseen))
        capped_ratios.append(ratios[-1] / (1 - amounts.above_cap))
    assert np.mean(capped_ratios) > 1.06
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.03)


def test_a_few_whales_raise_the_factor_to_a_bound() -> None:
    later = make_rows(seed=1)
    amounts = fitted(with_whales(make_rows()))
    without = factor_of([total_payers(amounts, later)], 0.0)
    assert factor_of([total_payers(amounts, later)], amounts.above_cap) == pytest.approx(
        without / (1 - MAX_ABOVE_CAP)
    )


def test_a_total_within_noise_is_as_predicted_and_others_are_not() -> None:
    chance = np.random.default_rng(0)
    spend = chance.lognormal(0, 1, 2_000)
    verdicts = []
    for factor in (0.5, 1.0, 2.0):
        compared = compare_spend(np.full(2_000, factor * spend.mean()), spend, seed=0)
        assert compared is not None
        assert compared.ratio.value == pytest.approx(1 / factor)
        assert compared.ratio.low < compared.ratio.value < compared.ratio.high
        verdicts.append(compared.verdict)
    assert verdicts == ["more_than_predicted", "as_predicted", "less_than_predicted"]
    assert compare_spend(np.zeros(3), np.ones(3), seed=0) is None


def test_what_is_expected_of_all_is_what_all_spend() -> None:
    card = validated(make_rows(), make_rows(seed=1))
    later = make_rows(seed=1)
    assert later.spend is not None
    assert card.happened.value == pytest.approx(later.spend.mean())
    assert card.predicted == pytest.approx(card.happened.value, rel=0.1)
    assert card.happened.low < card.happened.value < card.happened.high


def test_expected_spend_is_the_chance_times_the_amount() -> None:
    rows, later = make_rows(), make_rows(seed=1)
    sigmoid = np.linspace(0, 1, len(later.labels))
    card = validate_amounts(fitted(rows), later, sigmoid, 1.1, seed=0)
    expected = sigmoid * card.factor * fitted(rows).amounts(later.matrix)
    assert card.predicted == pytest.approx(expected.mean())


def test_the_top_tenth_brings_more_than_a_tenth() -> None:
    rows, later = make_rows(), make_rows(seed=1)
    assert 0.12 < validated(rows, later).top_share < 0.4
    sure = validate_amounts(fitted(rows), later, later.labels.astype(float), 1.1, seed=0)
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
    card = validated(make_rows(), nobody)
    assert (card.top_share, card.happened.value) == (0.0, 0.0)
    assert 1.0 < card.factor < 1.05  # for the spend above the cap
    assert card.predicted > 0


def test_spend_that_nobody_asked_for_counts_as_nothing() -> None:
    later = make_rows(seed=1)
    card = validated(make_rows(), Rows(later.matrix, later.labels, later.groups, None))
    assert (card.factor, card.happened.value, card.top_share) == (0.0, 0.0, 0.0)


def test_one_user_can_judge() -> None:
    rows = make_rows()
    card = validated(rows, make_rows(seed=1).chosen(np.arange(2_000) == 0))
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
    card = validated(with_spend(rows, spend), with_spend(rows, spend))
    assert card.factor > 0
    assert 0 < card.top_share < 1
    assert card.happened.value == pytest.approx(spend.mean())
