import datetime as dt
from typing import Any

import pytest

from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.monitoring.model_checks import (
    MAX_MODEL_AGE_DAYS,
    MODEL_CHECKS,
    check_against_rule,
    check_age,
    check_calibration,
)
from ds_assets_tests.core.models.card_factories import (
    DAY,
    make_card,
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
    ("measures", "is_good"),
    [
        ({"total_ratio": make_measure(1.3, 0.2), "ece": make_measure(0.05, 0.02)}, True),
        ({"total_ratio": make_measure(1.4, 0.2), "ece": make_measure(0.01, 0.02)}, False),
        ({"total_ratio": make_measure(0.6, 0.2), "ece": make_measure(0.01, 0.02)}, False),
        ({"total_ratio": make_measure(1.0, 0.2), "ece": make_measure(0.08, 0.02)}, False),
        ({"total_ratio": None}, True),
    ],
)
def test_a_model_must_be_calibrated_within_noise(measures: dict[str, Any], is_good: bool) -> None:
    assert check_calibration(card_with(**measures)).is_good is is_good


def test_what_is_compared_is_said_with_what_is_tolerated() -> None:
    off: dict[str, Any] = {"total_ratio": make_measure(1.4, 0.2), "ece": make_measure(0.01, 0.0)}
    assert check_calibration(card_with(**off)).compared == (
        "predicted over observed total 1.40 (1.30 to 1.50) for users of 2024-04-17, tolerated 0.8 "
        "to 1.25; calibration error 0.010, tolerated 0.05"
    )


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
