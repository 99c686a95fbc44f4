from dataclasses import replace

import numpy as np
import pytest

from ds_assets.core.models.learning.early_model import MIN_DAYS, EarlyCard
from ds_assets.core.models.training.early import (
    EarlyData,
    choose_check_horizon,
    early_contender,
    make_early,
)
from ds_assets.core.targets import BUILT_IN
from ds_assets_tests.core.models.learning.factories import PLAYERS, draw_days, lifetime_features

CHURN, PAYMENT = (replace(target, horizon=14, active_days=28) for target in BUILT_IN)
DAYS, EARLIER = 19, 12


def draw_data() -> EarlyData:
    """Logs of twenty days, in which all users came on the first one; a check of seven days."""
    came = draw_days(PLAYERS, 2_000, DAYS)
    bought = np.random.default_rng(1).random(came.shape) < 0.1
    return EarlyData(
        lifetime_features(came, bought),
        DAYS + 1,
        lifetime_features(came[:, :EARLIER], bought[:, :EARLIER]),
        DAYS - EARLIER,
    )


@pytest.mark.parametrize("target", [CHURN, PAYMENT])
def test_an_early_model_is_checked_on_the_days_since_an_earlier_one(target: object) -> None:
    data = draw_data()
    card = make_early(CHURN if target is CHURN else PAYMENT, data)
    assert isinstance(card, EarlyCard)
    assert card.check is not None
    assert (card.check.horizon, card.check.users) == (7, 2_000)
    assert set(card.check.contenders) == {"early", "recency"}
    early = card.check.contenders["early"]
    assert early.auc.value > 0.6
    assert early.total_ratio is not None
    assert early.total_ratio.value == pytest.approx(1, abs=0.15)


def test_what_happened_later_changes_neither_the_check_nor_the_model_of_the_earlier_day() -> None:
    data = draw_data()
    before = EarlyData(data.earlier, EARLIER + 1, None, 0)
    early = make_early(CHURN, before)
    assert isinstance(early, EarlyCard)
    assert early.check is None
    assert make_early(CHURN, before) == early


def test_without_enough_data_words_say_what_is_missing() -> None:
    data = draw_data()
    assert make_early(CHURN, replace(data, logged_days=3)) == (
        "3 of the 7 days of logs that an early prediction needs"
    )
    assert make_early(CHURN, replace(data, features=None)) == (
        "no features of the day, which an early prediction needs"
    )


@pytest.mark.parametrize(("logged", "horizon"), [(3, 0), (7, 0), (9, 2), (21, 14), (99, 14)])
def test_the_check_looks_as_far_ahead_as_an_early_model_has_seen(logged: int, horizon: int) -> None:
    assert choose_check_horizon(CHURN, logged) == horizon
    assert choose_check_horizon(replace(CHURN, active_days=5), 99) == 5
    assert MIN_DAYS == 7


def test_a_trained_model_is_compared_with_the_early_one_where_features_allow_it() -> None:
    data = draw_data()
    assert data.features is not None
    scores = early_contender(PAYMENT, data.features)["early"]
    assert ((scores >= 0) & (scores <= 1)).all()
    assert early_contender(PAYMENT, data.features.drop(columns="lifetime_spend")) == {}
    assert early_contender(PAYMENT, data.features.iloc[:20]) == {}
    assert (
        early_contender(replace(PAYMENT, definition="{}", amount_column=None), data.features) == {}
    )
