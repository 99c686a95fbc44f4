"""Which predictions are compared with what happened."""

import datetime as dt

from ds_assets.core.models.monitoring.due_outcomes import find_due_outcomes
from ds_assets_tests.core.factories import FIRST_DAY, make_game

GAME = make_game(horizons={"churn": 2, "payment": 4})


def days(*numbers: int) -> list[dt.date]:
    return [FIRST_DAY + dt.timedelta(days=number) for number in numbers]


def test_predictions_are_due_once_the_shortest_horizon_has_passed() -> None:
    predictions = days(0, 1, 2, 3)
    assert find_due_outcomes(predictions, days(0, 1), [], GAME) == []
    assert find_due_outcomes(predictions, days(0, 1, 2, 3), [], GAME) == days(0, 1)


def test_a_day_without_activity_leaves_predictions_undue() -> None:
    assert find_due_outcomes(days(0, 1, 2), days(1, 3, 4), [], GAME) == days(2)


def test_predictions_whose_outcomes_are_current_are_not_due() -> None:
    assert find_due_outcomes(days(0, 1), days(1, 2, 3), days(0), GAME) == days(1)
