"""Which predictions are due to be compared with what happened.

Scope: the rule, given which days are stored. `infra.labels` reads them from the lake.
"""

import datetime as dt
from collections.abc import Container, Iterable

from ds_assets.core.labels import is_matured
from ds_assets.core.targets import targets_of
from ds_assets.game import Game


def find_due_outcomes(
    predictions: Iterable[dt.date],
    activity: Container[dt.date],
    current: Container[dt.date],
    game: Game,
) -> list[dt.date]:
    """Find matured predictions whose outcomes are not stored, or are outdated.

    Args:
        predictions: Days with predictions.
        activity: Arrival days with `user_activity`.
        current: Days whose stored outcomes were made from what is stored now.
        game: Its targets and grace for late logs.

    Returns:
        Days in the order of the predictions.
    """
    horizons = {target.horizon for target in targets_of(game).values()}
    return [
        day
        for day in predictions
        if day not in current
        and any(is_matured(day, horizon, activity, game) for horizon in horizons)
    ]
