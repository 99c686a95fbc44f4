import datetime as dt
from typing import Any

import numpy as np
import pytest

from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.evaluation.validation_curves import ReliabilityBin, compute_curves
from ds_assets.core.models.monitoring.model_checks import (
    MAX_MODEL_AGE_DAYS,
    MAX_TENTHS_OFF,
    MODEL_CHECKS,
    check_against_rule,
    check_age,
    check_calibration,
)
from ds_assets_tests.core.models.card_factories import (
    DAY,
    make_card,
    make_curves,
    make_evaluation,
    make_full_card,
    make_lacking_card,
    make_measure,
    make_measures,
)


def card_with(rule_auc: float = 0.7, **measures: Any) -> ModelCard:
    own = make_measures(0.75).model_copy(update=measures)
    fold = make_evaluation(delivered=own, recency=make_measures(rule_auc, bias=None))
    return make_card(folds=(fold,))


def test_a_model_must_rank_better_than_recency() -> None:
    assert check_against_rule(card_with(0.74)).is_good
    finding = check_against_rule(card_with(0.76))
    assert str(finding).startswith(
        "AUC 0.750 (0.700 to 0.800) for users of 2024-04-17, recency alone 0.760; the model adds"
    )
    assert not finding.is_good


@pytest.mark.parametrize(
    ("ratio", "is_good"), [(1.0, True), (1.3, True), (1.4, False), (0.75, True), (0.6, False)]
)
def test_the_total_must_agree_within_noise(ratio: float, is_good: bool) -> None:
    card = card_with(total_ratio=make_measure(ratio, 0.2))
    assert check_calibration(card).is_good is is_good


def with_tenths_off(count: int, distance: float) -> ModelCard:
    """Of ten tenths, so many predict this much more than the upper end of the observed share."""
    tenths = [
        ReliabilityBin(
            users=100, observed=0.3, low=0.2, high=0.4, predicted=0.4 + distance * (n < count)
        )
        for n in range(10)
    ]
    (fold,) = card_with().folds
    curves = make_curves().model_copy(update={"reliability": tuple(tenths)})
    return make_card(folds=(fold.model_copy(update={"curves": curves}),))


@pytest.mark.parametrize(
    ("count", "distance", "is_good"),
    [(MAX_TENTHS_OFF, 0.2, True), (MAX_TENTHS_OFF + 1, 0.2, False), (10, 0.01, True)],
)
def test_most_tenths_of_the_users_must_agree_beyond_noise_and_by_more_than_a_trifle(
    count: int, distance: float, is_good: bool
) -> None:
    assert check_calibration(with_tenths_off(count, distance)).is_good is is_good


def test_calibrated_models_of_few_users_pass() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        probabilities = draw.beta(1, 2, 80)
        labels = draw.random(80) < probabilities
        curves = compute_curves(labels, probabilities, {})
        (fold,) = card_with(total_ratio=make_measure(1.0)).folds
        card = make_card(folds=(fold.model_copy(update={"curves": curves}),))
        assert check_calibration(card).is_good


def test_what_is_compared_is_said_with_what_is_tolerated() -> None:
    card = card_with(total_ratio=make_measure(1.4, 0.2))
    assert check_calibration(card).compared == (
        "predicted over observed total 1.40 (1.30 to 1.50) for users of 2024-04-17, tolerated 0.8 "
        "to 1.25; 0 of 5 tenths of the users off, tolerated 2"
    )


def test_a_card_of_an_earlier_version_has_no_calibration_to_compare() -> None:
    (fold,) = card_with(total_ratio=make_measure(9.0)).folds
    assert check_calibration(make_card(folds=(fold.model_copy(update={"curves": None}),))).is_good


@pytest.mark.parametrize("days", [0, MAX_MODEL_AGE_DAYS, MAX_MODEL_AGE_DAYS + 1])
def test_a_champion_must_not_be_too_old(days: int) -> None:
    card = make_full_card().model_copy(update={"trained": DAY - dt.timedelta(days=days)})
    finding = check_age(card)
    assert finding.is_good is (days <= MAX_MODEL_AGE_DAYS)
    assert finding.compared.startswith(f"trained {days} days before")
    assert finding.is_good or "(new)" in finding.advice


@pytest.mark.parametrize("name", MODEL_CHECKS)
def test_a_card_without_a_model_passes_and_says_what_is_missing(name: str) -> None:
    finding = MODEL_CHECKS[name][0](make_lacking_card())
    assert finding.is_good
    assert str(finding).startswith("no trained model: not enough data: 41 users who left")
