"""What users spend if they pay: heavy tails count, and later spend validates it."""

from dataclasses import replace

import numpy as np
import pytest

from ds_assets.core.models.data.training_rows import Rows
from ds_assets.core.models.learning.learner import FittedRegressor
from ds_assets.core.models.learning.spend import (
    MAX_BEYOND,
    MIN_PAYERS,
    FittedAmounts,
    SpendCard,
    amounts_of,
    compare_spend,
    fit_amounts,
    validate_amounts,
)


def make_rows(rows: int = 2_000, seed: int = 0) -> Rows:
    """A third pays; the second feature says how much."""
    chance = np.random.default_rng(seed)
    matrix = chance.random((rows, 3)).astype(np.float32)
    paid = chance.random(rows) < 1 / 3
    spend = np.where(paid, (2 + 20 * matrix[:, 1]) * chance.lognormal(0, 0.4, rows), 0.0)
    return Rows(matrix, paid, np.full(rows, "", dtype=object), spend, np.zeros(rows, dtype=np.intp))


def with_spend(rows: Rows, spend: np.ndarray | None) -> Rows:
    return replace(rows, spend=spend)


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
    chances = np.full(len(validation.labels), chance)
    return validate_amounts(fitted(rows), validation, chances, seed=0)


def test_amounts_follow_what_was_spent() -> None:
    rows, later = make_rows(), make_rows(seed=1)
    amounts = fitted(rows).amounts(later.matrix)
    assert later.spend is not None
    paid = later.labels
    assert np.corrcoef(amounts[paid], later.spend[paid])[0, 1] > 0.6
    assert fitted(rows).payers == rows.labels.sum()
    assert (amounts >= 0).all()


def test_a_few_whales_change_hardly_who_is_expected_to_spend_most() -> None:
    rows = make_rows()
    usual, later = fitted(rows), fitted(with_whales(rows))
    assert later.cap < 10_000
    assert later.spread.tail_index < usual.spread.tail_index
    before, after = usual.amounts(rows.matrix), later.amounts(rows.matrix)
    assert np.corrcoef(before, after)[0, 1] > 0.9
    assert before.mean() < after.mean() < (1.1 + MAX_BEYOND) * before.mean()


def test_spenders_of_hundreds_who_can_be_recognised_are_expected_to_spend_hundreds() -> None:
    """A hundredth of the payers, whose last feature says so."""
    rows, later = make_rows(20_000), make_rows(20_000, seed=1)
    rows, later = (
        with_spend(own, np.where(own.matrix[:, 2] > 0.99, 50.0, 1.0) * own.spend)
        for own in (rows, later)
    )
    assert later.spend is not None
    is_whale = (later.matrix[:, 2] > 0.99) & later.labels
    expected = fitted(rows).amounts(later.matrix)[is_whale].mean()
    assert expected == pytest.approx(later.spend[is_whale].mean(), rel=0.25)


def test_amounts_add_up_to_what_was_spent() -> None:
    rows = make_rows()
    amounts = fitted(rows)
    assert rows.spend is not None
    assert amounts.amounts(rows.matrix[rows.labels]).sum() == pytest.approx(
        rows.spend.sum(), rel=0.01
    )
    assert 1.0 < amounts.factor < 1.3  # the mean of logarithms lies below that of the amounts


def test_the_factor_follows_the_spend_of_the_latest_snapshots() -> None:
    """A snapshot counts half of the next one."""
    rows = replace(make_rows(), ages=np.repeat([1, 0], 1_000))
    assert rows.spend is not None
    dearer = with_spend(rows, np.where(rows.ages == 0, 2.0, 1.0) * rows.spend)
    paid = dearer.chosen(dearer.labels)
    assert paid.spend is not None
    expected = fitted(dearer).amounts(paid.matrix)
    totals = [
        values[paid.ages == 1].sum() / 2 + values[paid.ages == 0].sum()
        for values in (paid.spend, expected)
    ]
    assert totals[1] == pytest.approx(totals[0], rel=0.01)


def test_four_of_five_payers_spend_what_their_interval_says() -> None:
    rows, later = make_rows(20_000), make_rows(20_000, seed=1)
    measures = validated(rows, later).measures
    assert measures is not None
    assert measures.coverage is not None
    assert measures.coverage.value == pytest.approx(0.8, abs=0.02)


def heavy_tailed(seed: int, rows: int = 20_000) -> Rows:
    """Spend of a Pareto distribution, 9 % of it above the quantile of the cap."""
    base = make_rows(rows, seed)
    drawn = np.random.default_rng([seed, 9]).pareto(1.7, rows) + 1
    return with_spend(base, np.where(base.labels, 4 * drawn, 0.0))


@pytest.mark.slow
def test_heavy_tailed_spend_is_right_in_total() -> None:
    """Means over twenty games: the total of one depends on its few largest purchases."""
    ratios, capped_ratios = [], []
    for seed in range(20):
        rows, later = (heavy_tailed(100 * seed + n) for n in range(2))
        amounts = fitted(rows)
        assert later.spend is not None
        expected = amounts.amounts(later.matrix[later.labels]).sum()
        ratios.append(later.spend.sum() / expected)
        largest = np.quantile(later.spend[later.labels], 0.99)
        capped_ratios.append(np.minimum(later.spend, largest).sum() / expected)
    assert np.mean(capped_ratios) < 0.94
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.03)


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
    card = validate_amounts(fitted(rows), later, sigmoid, seed=0)
    expected = sigmoid * fitted(rows).amounts(later.matrix)
    assert card.predicted == pytest.approx(expected.mean())


def test_the_top_tenth_brings_more_than_a_tenth() -> None:
    rows, later = make_rows(), make_rows(seed=1)
    assert 0.12 < validated(rows, later).top_share < 0.4
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
    assert fit_amounts(with_spend(rows, None), seed=0) is None


def test_purchases_of_nothing_count_as_nothing() -> None:
    rows = make_rows()
    assert rows.spend is not None
    half = np.where(np.arange(len(rows.spend)) % 2, rows.spend, 0.0)
    fitted_amounts = fitted(with_spend(rows, half))
    assert fitted_amounts.payers == rows.labels.sum()
    half_as_much = fitted(rows).amounts(rows.matrix).mean() / 2
    assert fitted_amounts.amounts(rows.matrix).mean() == pytest.approx(half_as_much, rel=0.1)


def test_users_of_whom_nobody_paid_can_judge() -> None:
    later = make_rows(seed=1)
    nobody = replace(later, labels=np.zeros(2_000, dtype=bool), spend=np.zeros(2_000))
    card = validated(make_rows(), nobody)
    assert (card.top_share, card.happened.value) == (0.0, 0.0)
    assert card.predicted > 0


def test_spend_that_nobody_asked_for_counts_as_nothing() -> None:
    later = make_rows(seed=1)
    card = validated(make_rows(), with_spend(later, None))
    assert (card.happened.value, card.top_share) == (0.0, 0.0)


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
    card = validated(with_spend(rows, spend), with_spend(rows, spend))
    assert card.factor > 0
    assert 0 < card.top_share < 1
    assert card.happened.value == pytest.approx(spend.mean())
