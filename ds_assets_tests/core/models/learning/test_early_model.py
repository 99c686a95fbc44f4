from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.learning.early_model import (
    FEATURES,
    MIN_DAYS,
    MIN_PAYERS,
    MIN_USERS,
    EarlyCard,
    find_early_shortfall,
    fit_early,
    predict_early,
)
from ds_assets.core.models.learning.spread import fit_spread
from ds_assets.core.targets import BUILT_IN, EARLY_VERSION
from ds_assets_tests.core.models.learning.factories import PLAYERS, draw_days, lifetime_features

CHURN, PAYMENT = (replace(target, horizon=7, active_days=28) for target in BUILT_IN)
DAYS = 20


def draw_purchases(users: int, days: int) -> Labels:
    rng = np.random.default_rng(1)
    share = rng.beta(0.3, 3, users)
    return rng.random((users, days)) < share[:, None]


def draw_users(users: int = 3_000) -> tuple[pd.DataFrame, Labels, Labels]:
    """Features of a day, and on which of the seven days after it users came and bought."""
    came, bought = draw_days(PLAYERS, users, DAYS + 7), draw_purchases(users, DAYS + 7)
    features = lifetime_features(came[:, :DAYS], bought[:, :DAYS])
    return features, came[:, DAYS:], came[:, DAYS:] & bought[:, DAYS:]


def values_of(features: pd.DataFrame) -> dict[str, Floats]:
    return {name: features[name].to_numpy() for name in FEATURES}


def test_probabilities_of_churn_and_payment_agree_with_what_users_do() -> None:
    features, came, bought = draw_users()
    churn = predict_early(fit_early(CHURN, features), 7, features).probabilities
    assert churn.mean() == pytest.approx((~came.any(axis=1)).mean(), rel=0.1)
    payment = predict_early(fit_early(PAYMENT, features), 7, features)
    assert payment.probabilities.mean() == pytest.approx(bought.any(axis=1).mean(), rel=0.1)
    assert payment.amounts is not None
    assert payment.amounts.sum() == pytest.approx(10 * bought.sum(), rel=0.1)


def test_the_interval_of_spend_contains_what_four_of_five_users_spend() -> None:
    features, _, bought = draw_users()
    predicted = predict_early(fit_early(PAYMENT, features), 7, features)
    assert predicted.spend_low is not None
    assert predicted.spend_high is not None
    spend = 10.0 * bought.sum(axis=1)
    is_wide = predicted.spend_high > 0
    inside = (predicted.spend_low <= spend) & (spend <= predicted.spend_high)
    assert inside[is_wide].mean() == pytest.approx(0.8, abs=0.08)  # each day costs the same
    assert fit_early(CHURN, features).spread is None


def test_a_user_without_a_purchase_is_expected_to_spend_like_payers_so_far() -> None:
    features, _, _ = draw_users()
    rng = np.random.default_rng(2)
    heavy = features["lifetime_spend"] * rng.pareto(1.05, len(features))
    features = features.assign(lifetime_spend=heavy)
    card = fit_early(PAYMENT, features)
    assert card.amounts is not None
    p, q, gamma = card.amounts
    mean = heavy.sum() / features["lifetime_purchase_days"].sum()
    assert p * gamma / (q - 1) <= mean * 1.000001


def test_users_who_never_bought_may_buy_and_less_so_after_a_pause() -> None:
    features, _, _ = draw_users()
    card = fit_early(PAYMENT, features)
    base = {name: values[:1].copy() for name, values in values_of(features).items()}
    never = base | {"lifetime_purchase_days": np.zeros(1), "lifetime_spend": np.zeros(1)}
    fresh = predict_early(card, 7, never | {"lifetime_days_since_active": np.zeros(1)})
    paused = predict_early(card, 7, never | {"lifetime_days_since_active": np.array([20.0])})
    assert 0 < paused.probabilities[0] < fresh.probabilities[0]


def test_the_interval_contains_the_probability_and_is_narrower_after_a_long_history() -> None:
    features, _, _ = draw_users()
    card = fit_early(CHURN, features)
    predicted = predict_early(card, 7, features)
    assert (predicted.low <= predicted.probabilities).all()
    assert (predicted.probabilities <= predicted.high).all()
    short, long = (
        predict_early(
            card,
            7,
            values_of(features.iloc[:1])
            | {
                "lifetime_active_days": np.array([days]),
                "lifetime_active_gap": np.array([2.0]),
                "lifetime_days_since_active": np.array([1.0]),
            },
        )
        for days in (3.0, 200.0)
    )
    assert long.high[0] - long.low[0] < short.high[0] - short.low[0]


def test_users_of_a_request_get_what_the_batch_gives_them() -> None:
    features, _, _ = draw_users(300)
    card = fit_early(PAYMENT, features)
    batch = predict_early(card, 7, features)
    alone = predict_early(card, 7, values_of(features.iloc[[17]]))
    assert alone.probabilities[0] == pytest.approx(batch.probabilities[17], rel=1e-12)
    assert alone.amounts is not None
    assert batch.amounts is not None
    assert alone.amounts[0] == pytest.approx(batch.amounts[17], rel=1e-12)


def test_the_card_depends_on_the_users_and_not_on_their_order() -> None:
    features, _, _ = draw_users(400)
    card = fit_early(PAYMENT, features)
    assert card == fit_early(PAYMENT, features.sample(frac=1, random_state=1))
    assert card.version.startswith(EARLY_VERSION)
    assert EarlyCard.model_validate_json(card.model_dump_json()) == card
    other = fit_early(PAYMENT, features.iloc[:300])
    assert other.version != card.version


@given(st.dictionaries(st.sampled_from(FEATURES), st.floats(), min_size=1))
def test_whatever_a_client_sends_gives_a_probability_or_none(sent: dict[str, float]) -> None:
    card = EarlyCard(
        version="early-1",
        users=99,
        window=28,
        activity=PLAYERS,
        purchases=(0.3, 3.0),
        amounts=(6.0, 4.0, 15.0),
        spread=fit_spread(np.arange(1.0, 99.0), np.full(98, 50.0)),
    )
    usual = dict.fromkeys(FEATURES, 3.0)
    values = {name: np.array([value]) for name, value in (usual | sent).items()}
    with np.errstate(all="ignore"):
        predicted = predict_early(card, 7, values)
    chance = predicted.probabilities[0]
    assert np.isnan(chance) or 0 <= predicted.low[0] <= chance <= predicted.high[0] <= 1
    assert predicted.spend_low is not None
    assert predicted.spend_high is not None
    assert np.isnan(chance) or 0 <= predicted.spend_low[0] <= predicted.spend_high[0]


def test_features_without_lifetimes_have_no_prediction() -> None:
    features, _, _ = draw_users(200)
    card = fit_early(CHURN, features)
    lacking = features.assign(lifetime_active_days=np.nan)
    assert np.isnan(predict_early(card, 7, lacking).probabilities).all()
    assert find_early_shortfall(CHURN, lacking, DAYS) == (
        f"0 of the {MIN_USERS} active users that an early prediction needs"
    )


def test_what_is_missing_is_said_in_words() -> None:
    features, _, _ = draw_users(200)
    assert find_early_shortfall(CHURN, features, DAYS) is None
    assert find_early_shortfall(CHURN, features, MIN_DAYS - 1) == (
        "6 of the 7 days of logs that an early prediction needs"
    )
    assert find_early_shortfall(CHURN, None, DAYS) == (
        "no features of the day, which an early prediction needs"
    )
    never = features.assign(lifetime_purchase_days=0.0)
    assert find_early_shortfall(CHURN, never, DAYS) is None
    assert find_early_shortfall(PAYMENT, never, DAYS) == (
        f"0 of the {MIN_PAYERS} users with a purchase that an early prediction needs"
    )
