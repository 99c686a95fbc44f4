import datetime as dt

import numpy as np
import pandas as pd
import pytest

from benchmarks.controls import strong_baseline
from benchmarks.controls.histories import Calendar, Histories, days_since_1970
from benchmarks.controls.strong_baseline import Task, baseline_probabilities, training_days
from benchmarks.validation import area
from ds_assets_tests.core.factories import FIRST_DAY, make_game

DAYS = 120


def histories_of(users: int) -> Histories:
    """Users who come with a probability of their own on every day."""
    rng = np.random.default_rng(0)
    chance = rng.beta(0.5, 3, users)
    user, number = np.nonzero(rng.random((users, DAYS)) < chance[:, None])
    date = days_since_1970(FIRST_DAY) + number
    rows = pd.DataFrame(
        {
            "user": user,
            "arrival": date,
            "date": date,
            "open": date,
            "hour": 12.0,
            "activities": 1.0,
            "purchases": 0.0,
            "spend": 0.0,
        }
    )
    names = np.array([f"u{number:05}" for number in range(users)])
    sums = ["activities", "purchases", "spend"]
    return Histories(names, rows, sums, [], [], Calendar(()), make_game(attributes={}))


def task(number: int, histories: Histories, horizon: int = 7) -> Task:
    day = FIRST_DAY + dt.timedelta(number)
    return Task("churn", horizon, day, histories.active_on(day))


def test_training_days_have_matured_and_lie_in_the_log() -> None:
    histories = histories_of(20)
    days = training_days(task(30, histories), histories)
    assert [(day - FIRST_DAY).days for day in days] == [2, 9, 16, 23]


def test_users_who_will_leave_are_ranked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strong_baseline, "MAX_SNAPSHOTS", 3)
    histories = histories_of(300)
    contest = task(DAYS - 8, histories)
    probabilities = baseline_probabilities(contest, histories)
    labels = histories.label("churn", contest.day, 7, contest.day + dt.timedelta(7))
    assert area(labels[contest.users], probabilities) > 0.7
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_a_target_without_matured_labels_is_refused() -> None:
    histories = histories_of(20)
    with pytest.raises(ValueError, match="no label of churn has matured"):
        baseline_probabilities(task(3, histories), histories)
