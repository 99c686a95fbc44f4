import datetime as dt

import numpy as np
import pandas as pd
import pytest

from benchmarks.controls.bg_nbd import forecast
from benchmarks.controls.histories import Calendar, Histories, days_since_1970
from benchmarks.controls.strong_baseline import Task
from benchmarks.sparse_shop import CHANNELS, Channel, draw_purchases
from benchmarks.validation import area
from ds_assets.core.models.learning import bg_nbd
from ds_assets_tests.core.factories import FIRST_DAY, make_game

DAYS, NOW, HORIZON = 300, 200, 28
SEARCH = CHANNELS["search"]


def purchases_of(users: int, channel: Channel = SEARCH) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return draw_purchases(np.array([channel] * users, dtype=np.float64), DAYS, rng)


def histories_of(purchases: pd.DataFrame, users: int) -> Histories:
    date = days_since_1970(FIRST_DAY) + np.floor(purchases["time"]).astype(int)
    rows = pd.DataFrame({"user": purchases["user"], "arrival": date, "date": date, "open": date})
    rows = rows.assign(activities=1.0, purchases=1.0, spend=purchases["amount"], hour=12.0)
    rows = rows.sort_values(["user", "date"], ignore_index=True)
    names = np.array([f"u{number:05}" for number in range(users)])
    sums = ["activities", "purchases", "spend"]
    return Histories(names, rows, sums, [], [], Calendar(()), make_game(attributes={}))


def test_a_fitted_model_is_about_as_good_as_the_true_one_and_has_the_right_total() -> None:
    users = 3_000
    purchases = purchases_of(users)
    histories = histories_of(purchases, users)
    chosen = np.unique(purchases["user"][purchases["time"] < NOW])
    day = FIRST_DAY + dt.timedelta(NOW - 1)
    prediction = forecast(Task("payment", HORIZON, day, chosen), histories)
    labels = histories.label("payment", day, HORIZON, day + dt.timedelta(HORIZON))[chosen]
    before = purchases[purchases["time"] < NOW].groupby("user")["time"]
    first, last = before.min().to_numpy(np.float64), before.max().to_numpy(np.float64)
    x = np.asarray(before.count(), dtype=np.float64) - 1
    truth = bg_nbd.event_probability(
        bg_nbd.Rates(*SEARCH[1:]), bg_nbd.Histories(x, last - first, NOW - first), HORIZON
    )
    assert area(labels, prediction.probabilities) > area(labels, truth) - 0.01
    assert prediction.probabilities.mean() == pytest.approx(labels.mean(), rel=0.15)


def test_churn_is_the_chance_of_no_activity() -> None:
    histories = histories_of(purchases_of(500), 500)
    day = FIRST_DAY + dt.timedelta(NOW)
    users = histories.active_on(day)
    stays, leaves = (
        forecast(Task(target, HORIZON, day, users), histories).probabilities
        for target in ("payment", "churn")
    )
    np.testing.assert_allclose(stays, 1 - leaves)


def test_users_who_never_bought_are_last() -> None:
    users = 400
    purchases = purchases_of(users)
    histories = histories_of(purchases, users)
    is_free = histories.rows["user"] == 0
    histories.rows.loc[is_free, "purchases"] = 0.0
    day = FIRST_DAY + dt.timedelta(DAYS - 1)
    prediction = forecast(Task("payment", HORIZON, day, np.arange(users)), histories)
    assert prediction.probabilities[0] == prediction.spend[0] == 0
    assert (prediction.probabilities[1:] > 0).mean() > 0.9
