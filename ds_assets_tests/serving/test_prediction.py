"""The one answer about a user, and how it follows from a stored row."""

import dataclasses
import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ds_assets.core.tables import PREDICTIONS
from ds_assets.serving.prediction import Prediction, prediction_of, unknown_user

DAY = dt.date(2026, 3, 1)
SEOUL = ZoneInfo("Asia/Seoul")
VALUES = {"text": "some", "integer": 3, "real": 0.25, "date": DAY}


def record(**values: Any) -> dict[str, Any]:
    defaults = {column.name: VALUES[column.type] for column in PREDICTIONS.columns}
    return {**defaults, "user_id": "a", **values}


def seoul(day: int, hour: int) -> dt.datetime:
    return dt.datetime(2026, 3, day, hour, tzinfo=SEOUL)


def test_an_answer_has_every_column_of_the_stored_predictions() -> None:
    names = {field.name for field in dataclasses.fields(Prediction)}
    assert names == {*PREDICTIONS.names, "status", "source", "age_seconds"}


def test_an_answer_says_what_the_row_says() -> None:
    answer = dataclasses.asdict(prediction_of(record(), "table", seoul(2, 1), SEOUL))
    assert answer == {**record(), "status": "ok", "source": "table", "age_seconds": 3_600}


@pytest.mark.parametrize(
    ("now", "age"),
    [
        (seoul(2, 0), 0),
        (seoul(4, 6), 54 * 3_600),
        (dt.datetime(2026, 3, 1, 16, tzinfo=dt.UTC), 3_600),
        (seoul(1, 12), 0),
    ],
)
def test_age_counts_from_the_end_of_the_day_where_the_game_is(now: dt.datetime, age: int) -> None:
    assert prediction_of(record(), "live", now, SEOUL).age_seconds == age


def test_age_counts_real_seconds_when_the_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    now = dt.datetime(2026, 3, 30, tzinfo=berlin)  # the day before had 23 hours
    answer = prediction_of(record(as_of=dt.date(2026, 3, 28)), "table", now, berlin)
    assert answer.age_seconds == 23 * 3_600


@pytest.mark.parametrize(
    ("churn", "payment", "status"),
    [(None, None, "not_enough_data"), (None, 0.1, "ok"), (0.0, None, "ok")],
)
def test_a_user_without_any_probability_has_not_enough_data(
    churn: float | None, payment: float | None, status: str
) -> None:
    row = record(churn_probability=churn, payment_probability=payment)
    assert prediction_of(row, "cache", seoul(2, 0), SEOUL).status == status


def test_an_unknown_user_is_one_from_nowhere() -> None:
    answer = unknown_user("b")
    assert (answer.user_id, answer.status, answer.source) == ("b", "unknown_user", "none")
    assert answer.churn_probability is None
