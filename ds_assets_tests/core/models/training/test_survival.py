"""The survival curve of a model, and its check on a later snapshot."""

import datetime as dt
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.models.data.snapshots import LabelledSnapshot, Revision
from ds_assets.core.models.learning.survival import SurvivalCard
from ds_assets.core.models.training.survival import MAX_ROWS
from ds_assets.core.models.training.train import train
from ds_assets_tests.core.factories import FIRST_DAY, make_target

pytestmark = pytest.mark.usefixtures("few_trees")

USERS, WEEKS = 6_000, 10
TARGET = make_target(step=7, active_days=28, horizon=14)


@cache
def make_history() -> list[LabelledSnapshot]:
    """Users who come at any time and leave for good, with a hazard that a feature shows."""
    chance = np.random.default_rng(0)
    hazard = chance.beta(1, 4, USERS)
    begins = chance.integers(-30, WEEKS, USERS)
    weeks_left = begins + chance.geometric(hazard)
    users = pd.Index([f"u{number:05d}" for number in range(USERS)], dtype=object)
    snapshots = []
    for week in range(WEEKS):
        is_active = (begins <= week) & (week <= weeks_left + 3)
        features = pd.DataFrame(
            {
                "user_id": users[is_active],
                "x": np.log(hazard[is_active]),
                "days_since_active": np.maximum(week - weeks_left[is_active], 0) * 7.0,
                "days_since_purchase": 0.0,
                "tenure_days": 7.0 * week,
                "user_group": pd.Series([None] * int(is_active.sum()), dtype=object),
            }
        )
        labels = pd.Series(weeks_left[is_active] <= week, index=users[is_active])
        day = FIRST_DAY + dt.timedelta(weeks=week)
        snapshots.append(LabelledSnapshot(day, features, labels, day + dt.timedelta(days=14)))
    return snapshots


@cache
def make_survival_card() -> SurvivalCard:
    snapshots = make_history()
    card = train(TARGET, snapshots[-1].matured_on, snapshots).card
    assert card.survival is not None
    return card.survival


def test_the_card_says_how_users_were_followed() -> None:
    survival = make_survival_card()
    assert survival.curve.steps == WEEKS - 1
    assert survival.curve.step_days == 7
    rows = sum(len(snapshot.labels) for snapshot in make_history())
    assert rows > 1.5 * MAX_ROWS
    assert survival.rows == pytest.approx(MAX_ROWS, rel=0.02)
    assert 0 < survival.leavers < survival.rows


def test_mean_survival_begins_at_the_level_of_the_model_and_falls() -> None:
    survival = make_survival_card()
    staying = 1 - make_history()[-1].labels.mean()
    assert survival.mean[0] == pytest.approx(staying, abs=0.05)
    assert (np.diff(survival.mean) <= 0).all()
    assert len(survival.mean) == len(survival.curve.step_ends)


def test_a_curve_that_was_fitted_earlier_agrees_with_what_happened_since() -> None:
    check = make_survival_card().check
    assert check is not None
    assert check.snapshot == make_history()[-3].day  # whose users were followed for longest
    assert [point.days for point in check.points] == [0, 7, 14]
    for point in check.points:
        assert point.predicted == pytest.approx(point.observed, abs=0.05)
    assert check.concordance > check.recency_concordance > 0.5
    assert 0 < check.brier < 0.25


def test_a_target_without_days_left_has_no_curve() -> None:
    snapshots = make_history()
    target = replace(TARGET, days_left_column=None)
    assert train(target, snapshots[-1].matured_on, snapshots).card.survival is None


def test_users_who_may_be_missing_although_they_stay_give_no_curve() -> None:
    snapshots = make_history()
    target = replace(TARGET, active_days=6)
    assert train(target, snapshots[-1].matured_on, snapshots).card.survival is None


def test_the_check_knows_only_labels_of_the_day_of_its_snapshot() -> None:
    snapshots = make_history()
    validation = snapshots[-3]
    mistaken = [
        replace(
            snapshot,
            revisions={
                validation.day: Revision(
                    snapshot.features.set_index("user_id")[["user_group"]], ~snapshot.labels
                )
            },
        )
        if snapshot.matured_on <= validation.day
        else snapshot
        for snapshot in snapshots
    ]
    survival = train(TARGET, snapshots[-1].matured_on, mistaken).card.survival
    assert survival is not None
    assert survival.check != make_survival_card().check
