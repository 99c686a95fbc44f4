"""Which predictions are due to be compared with what happened.

Scope: the rule, given the times at which days were stored. `infra.labels` reads them from the lake.
"""

import datetime as dt
from collections.abc import Mapping

from ds_assets.core.labels import is_matured, label_days
from ds_assets.core.targets import targets_of
from ds_assets.game import Game

StoredTimes = Mapping[dt.date, dt.datetime]


def find_due_outcomes(
    predictions: StoredTimes, activity: StoredTimes, outcomes: StoredTimes, game: Game
) -> dict[dt.date, dt.datetime]:
    """Find matured predictions whose inputs are newer than their stored outcomes.

    Args:
        predictions: When each day of predictions was stored, ascending by day.
        activity: When each arrival day of `user_activity` was stored.
        outcomes: When the outcomes of each day's predictions were stored.
        game: Its targets and grace for late logs.

    Returns:
        By day, ascending, when the newest input of its outcomes was stored.
    """
    horizons = [target.horizon for target in targets_of(game).values()]
    due = {}
    for day, predicted in predictions.items():
        matured = [horizon for horizon in horizons if is_matured(day, horizon, activity, game)]
        if matured:
            window = label_days(day, max(matured), game)
            newest = max([predicted, *(activity[arrival] for arrival in window)])
            if day not in outcomes or outcomes[day] < newest:
                due[day] = newest
    return due
