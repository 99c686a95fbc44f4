"""Curves over the cohorts of all weeks of a value."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.cohort_curves import (
    MIN_USERS_PER_AGE,
    CohortCurve,
    compute_curves,
    select_whole_cohorts,
)
from ds_assets.core.tables import COHORTS

FIRST, SECOND = dt.date(2026, 3, 2), dt.date(2026, 3, 9)
"""First days of two cohorts."""
NEWEST = dt.date(2026, 3, 18)
"""The youngest users of the first cohort are 10 days old then, those of the second 3."""


def added(cohort: dt.date, age: int, value: str = "ads", **amounts: Any) -> dict[str, Any]:
    place = {"as_of": cohort, "cohort": cohort, "value": value, "age_days": age}
    numbers = dict.fromkeys(["users", "active_users", "payers", "purchases"], 0)
    return {**place, **numbers, "spend": 0.0, "cost_per_user": 1.5, **amounts}


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COHORTS.names)


TWO_COHORTS = (
    added(FIRST, 0, users=100, active_users=100, spend=50.0, payers=10),
    added(FIRST, 2, active_users=40, spend=50.0, payers=5),
    added(FIRST, 10, active_users=10, spend=100.0),
    added(FIRST, 11, active_users=1, spend=7.0),
    added(SECOND, 0, users=300, active_users=300, spend=30.0),
    added(SECOND, 4, active_users=9, spend=900.0),
)


def test_each_age_counts_the_cohorts_that_have_reached_it() -> None:
    (curve,) = compute_curves(frame(*TWO_COHORTS), NEWEST)
    assert (curve.value, curve.users, len(curve.spend)) == ("ads", 400, 11)
    assert curve.spend[[0, 1, 2, 9, 10]].tolist() == pytest.approx([0.2, 0.2, 0.325, 0.325, 1.325])
    assert curve.retention[[0, 2, 10]].tolist() == [1.0, 0.1, 0.1]
    assert curve.payers[-1] == pytest.approx(10 / 400 + 5 / 400)


def test_a_curve_does_not_fall_at_its_end_where_nobody_has_paid_back() -> None:
    (curve,) = compute_curves(frame(*TWO_COHORTS), NEWEST)
    assert (np.diff(curve.spend) >= 0).all()


def test_a_curve_ends_where_few_users_have_reached_the_age() -> None:
    few = added(FIRST, 0, users=MIN_USERS_PER_AGE - 1)
    many = added(SECOND, 0, users=MIN_USERS_PER_AGE)
    (curve,) = compute_curves(frame(few, many), NEWEST)
    assert len(curve.spend) == 4
    assert compute_curves(frame(few), NEWEST) == []
    assert compute_curves(frame(), NEWEST) == []


def test_payback_is_the_first_age_at_which_spend_covers_the_cost() -> None:
    rows = [row | {"cost_per_user": 0.3} for row in TWO_COHORTS]
    (curve,) = compute_curves(frame(*rows), NEWEST)
    assert curve.payback_days == 2
    assert curve.paid_back_share == pytest.approx(1.325 / 0.3)
    (unpaid,) = compute_curves(frame(*TWO_COHORTS), NEWEST)
    assert unpaid.payback_days is None
    (free,) = compute_curves(frame(added(FIRST, 0, users=99, cost_per_user=None)), NEWEST)
    assert (free.cost, free.payback_days, free.paid_back_share) == (None, None, None)


def test_a_cost_is_the_mean_of_the_users_who_joined() -> None:
    rows = (
        added(FIRST, 0, users=100, cost_per_user=1.0),
        added(SECOND, 0, users=300, cost_per_user=2.0),
        added(SECOND, 1, cost_per_user=9.0),
    )
    (curve,) = compute_curves(frame(*rows), NEWEST)
    assert curve.cost == 1.75


def test_values_are_in_the_order_of_their_users_and_others_are_last() -> None:
    users = {"other": 900, "ads": 100, "organic": 400}
    rows = [added(FIRST, 0, value, users=number) for value, number in users.items()]
    curves: list[CohortCurve] = compute_curves(frame(*rows), NEWEST)
    assert [curve.value for curve in curves] == ["organic", "ads", "other"]


def test_cohorts_that_began_before_the_oldest_day_are_left_out() -> None:
    rows = frame(added(FIRST, 9) | {"as_of": SECOND}, added(SECOND, 0))
    assert select_whole_cohorts(rows)["cohort"].tolist() == [SECOND]
    assert select_whole_cohorts(frame()).empty
