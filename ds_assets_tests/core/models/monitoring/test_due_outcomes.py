"""Which predictions are compared with what happened, and when again."""

import datetime as dt

import pytest

from ds_assets.core.models.monitoring.due_outcomes import find_due_outcomes
from ds_assets_tests.core.factories import FIRST_DAY, make_game

CHURN, PAYMENT = 2, 4
GAME = make_game(horizons={"churn": CHURN, "payment": PAYMENT})


def day(number: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(days=number)


def time(hour: int) -> dt.datetime:
    return dt.datetime(2030, 1, 1, hour, tzinfo=dt.UTC)


def stored(*numbers: int, at: int = 0) -> dict[dt.date, dt.datetime]:
    return {day(number): time(at) for number in numbers}


def test_predictions_are_due_once_the_shortest_horizon_has_passed() -> None:
    predictions = stored(0, 1, 2, 3)
    assert find_due_outcomes(predictions, stored(0, 1), {}, GAME) == {}
    assert [*find_due_outcomes(predictions, stored(0, 1, 2, 3), {}, GAME)] == [day(0), day(1)]


def test_a_day_without_activity_leaves_predictions_undue() -> None:
    assert [*find_due_outcomes(stored(0, 1, 2), stored(1, 3, 4), {}, GAME)] == [day(2)]


@pytest.mark.parametrize("arrival", range(1, CHURN + 1))
def test_they_are_due_again_when_a_day_of_the_window_is_stored_again(arrival: int) -> None:
    activity = stored(1, 2) | stored(arrival, at=2)
    assert find_due_outcomes(stored(0), activity, stored(0, at=1), GAME) == {day(0): time(2)}
    assert find_due_outcomes(stored(0), activity, stored(0, at=2), GAME) == {}


def test_they_are_due_again_when_the_predictions_are_newer_than_the_outcomes() -> None:
    predictions = stored(0, at=3)
    assert find_due_outcomes(predictions, stored(1, 2), stored(0, at=2), GAME) == {day(0): time(3)}


def test_they_are_due_again_when_a_longer_horizon_has_passed_too() -> None:
    activity = stored(1, 2) | stored(3, 4, at=2)
    assert find_due_outcomes(stored(0), activity, stored(0, at=1), GAME) == {day(0): time(2)}


def test_an_arrival_after_the_longest_window_changes_nothing() -> None:
    activity = stored(*range(1, PAYMENT + 1)) | stored(PAYMENT + 1, at=2)
    assert find_due_outcomes(stored(0), activity, stored(0, at=1), GAME) == {}


def test_an_arrival_in_the_window_of_no_matured_target_changes_nothing() -> None:
    activity = stored(1, 2) | stored(3, at=2)
    assert find_due_outcomes(stored(0), activity, stored(0, at=1), GAME) == {}
