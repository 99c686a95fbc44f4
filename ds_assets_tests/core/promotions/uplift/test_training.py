from dataclasses import replace

import numpy as np
import pytest

from ds_assets.core.promotions.uplift.training import (
    UpliftModel,
    Value,
    fit_uplift,
    validate_uplift,
)
from ds_assets.core.promotions.uplift.trial import Trial
from ds_assets.core.promotions.uplift.validation import RISK, UPLIFT
from ds_assets_tests.core.promotions.uplift.factories import (
    helps_all_alike,
    make_trial,
    true_effects,
)

WORTH = Value(cost=0.05, worth=1.0, counts_spend=False)
EARLIER, LATER = make_trial(rows=3_000), make_trial(rows=2_000, seed=1)


@pytest.fixture(scope="module")
def model() -> UpliftModel:
    fitted = fit_uplift(EARLIER, seed=0)
    assert fitted is not None
    return fitted


def test_profit_is_effect_times_value_less_cost() -> None:
    value = Value(cost=0.5, worth=4.0)
    assert value.profits(np.array([0.25]), np.array([2.0])) == pytest.approx([2.5])
    assert value.profits(np.array([0.25]), None) == pytest.approx([0.5])
    assert replace(value, counts_spend=False).profits(
        np.array([0.25]), np.array([2.0])
    ) == pytest.approx([0.5])


def test_users_who_gain_are_treated_and_those_who_lose_are_not(model: UpliftModel) -> None:
    treats = model.profits(LATER, WORTH) > 0
    agrees = treats == (true_effects(LATER) > 0.05)
    assert agrees.mean() > 0.95


def test_the_policy_is_used_where_it_is_better_on_later_users(model: UpliftModel) -> None:
    validation = validate_uplift(model, EARLIER, LATER, WORTH, seed=0)
    assert validation.decision is not None
    assert validation.decision.used == "uplift"
    slope = validation.wanted.slope
    assert slope is not None
    assert slope.value == pytest.approx(1, abs=0.25)
    assert validation.wanted.rankings[UPLIFT].qini.low > validation.wanted.rankings[RISK].qini.high
    assert {group.name for group in validation.groups} >= {"persuadable", "sleeping dog"}


def test_spend_has_its_own_effect(model: UpliftModel) -> None:
    validation = validate_uplift(model, EARLIER, LATER, Value(cost=0.5), seed=0)
    assert validation.spend is not None
    truth = 10 * true_effects(LATER).mean()
    assert validation.spend.average.low < truth < validation.spend.average.high
    assert validation.decision is not None
    assert validation.decision.used == "uplift"


def test_the_rule_stays_where_all_users_gain_alike() -> None:
    earlier, later = (make_trial(helps_all_alike, 2_000, seed=seed) for seed in (0, 1))
    fitted = fit_uplift(earlier, seed=0)
    assert fitted is not None
    validation = validate_uplift(fitted, earlier, later, WORTH, seed=0)
    assert validation.decision is not None
    assert validation.decision.used == "all"
    assert validation.groups == ()
    assert validation.wanted.tenths == ()
    assert validation.wanted.slope is None


def test_there_is_no_policy_where_nothing_is_earned(model: UpliftModel) -> None:
    value = Value(counts_spend=False)
    assert validate_uplift(model, EARLIER, LATER, value, seed=0).decision is None


def test_too_few_users_have_no_model() -> None:
    assert fit_uplift(EARLIER.rows(np.arange(40)), seed=0) is None


def test_training_again_gives_the_same_effects(model: UpliftModel) -> None:
    again = fit_uplift(EARLIER, seed=0)
    assert again is not None
    assert (again.wanted.effects(LATER) == model.wanted.effects(LATER)).all()


def test_rows_that_stand_for_more_users_shift_the_policy_value(model: UpliftModel) -> None:
    gains = true_effects(LATER) > 0
    weighted: Trial = replace(LATER, weights=np.where(gains, 5.0, 1.0))
    plain = validate_uplift(model, EARLIER, LATER, WORTH, seed=0).decision
    more = validate_uplift(model, EARLIER, weighted, WORTH, seed=0).decision
    assert plain is not None
    assert more is not None
    assert more.values["all"].profit.value > plain.values["all"].profit.value
