import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.promotions.uplift.release import (
    MIN_LATER_SHARE,
    PromotionTrial,
    find_later,
    train_uplift,
)
from ds_assets.core.promotions.uplift.training import Value
from ds_assets_tests.core.promotions.uplift.factories import as_promotion, make_trial

DAY = dt.date(2026, 5, 1)
VALUE = Value(cost=0.5)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_later_days_hold_enough_rows_and_never_the_first_day(numbers: list[int]) -> None:
    days = np.array([DAY + dt.timedelta(number) for number in numbers], dtype=object)
    later = find_later(days)
    if len(set(numbers)) < 2:
        assert not later.any()
    else:
        assert later.any()
        assert not later[days == min(days)].any()
        assert min(days[later]) > max(days[~later])
        assert later.mean() >= MIN_LATER_SHARE or (~later == (days == min(days))).all()


def test_a_single_day_has_no_later_one_to_validate_on() -> None:
    trained = train_uplift(as_promotion(make_trial(rows=300), days=1), DAY, VALUE)
    assert trained.files == {}
    assert trained.card.state == "not_enough_data"
    assert trained.card.reasons == ("matured assignments of 1 day, where 2 are needed",)
    assert not trained.card.uses_policy


def test_too_few_control_users_are_named() -> None:
    few = make_trial(rows=600, treated_share=0.97)
    card = train_uplift(as_promotion(few), DAY, VALUE).card
    assert any("control users with the wanted outcome of churn" in it for it in card.reasons)


def test_a_policy_is_decided_on_later_days_and_models_learn_from_all_of_them() -> None:
    rows = as_promotion(make_trial(rows=3_000))
    card = train_uplift(rows, DAY, VALUE).card
    assert card.state == "ready"
    assert card.uses_policy
    assert card.treated + card.control == 3_000
    assert card.validation is not None
    later = card.validation.wanted
    assert later.treated + later.control < 0.5 * 3_000
    assert max(card.validated_on) == max(card.days)


def test_the_version_changes_with_the_rows_and_with_nothing_else() -> None:
    rows = as_promotion(make_trial(rows=200), days=1)
    same, again = (train_uplift(rows, DAY, VALUE).card.version for _ in range(2))
    other: PromotionTrial = replace(rows, trial=make_trial(rows=200, seed=1))
    assert same == again
    assert same != train_uplift(other, DAY, VALUE).card.version
    assert same != train_uplift(rows, DAY, Value(cost=0.6)).card.version


@pytest.mark.parametrize("seed", [0, 1])
def test_training_again_writes_the_same_files(seed: int) -> None:
    rows = as_promotion(make_trial(rows=900, seed=seed))
    assert train_uplift(rows, DAY, VALUE).files == train_uplift(rows, DAY, VALUE).files
