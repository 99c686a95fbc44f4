"""The order of times on the game's clock, which some time zones set back once a year.

In the hour that is set back a clock shows each time twice. So times of a date are ordered by
whether the clock had been set back on it, and then by what it showed: the order of the instants.

Scope: which zones set the clock back, and the order of columns of an engine.
"""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from ds_assets.game import Game

AFTER_SET_BACK = "after_set_back"
"""Column of events, and of their last one in `user_activity`; only in zones that set it back."""
_YEARS = range(2000, 2051)


@cache
def set_back_months(time_zone: str) -> frozenset[int]:
    """Months in which a zone sets the clock back, in any year; none in most zones."""
    zone = ZoneInfo(time_zone)
    begins = [dt.datetime(year, month, 1, tzinfo=zone) for year in _YEARS for month in range(1, 13)]
    return frozenset(
        begin.month
        for begin, end in pairwise(begins)
        if (end.utcoffset() or dt.timedelta()) < (begin.utcoffset() or dt.timedelta())
    )


def sets_clock_back(game: Game) -> bool:
    """Whether the game's clock is set back in some month."""
    return bool(set_back_months(game.time_zone))


def order_of_events(f: Any, game: Game) -> Sequence[Any]:
    """Columns by which events of a date are in the order of their instants."""
    time = f.col("event_time")
    return [f.col(AFTER_SET_BACK), time] if sets_clock_back(game) else [time]


def order_of_last_times(f: Any, game: Game) -> Sequence[Any]:
    """Columns by which rows of a date are in the order of their last events.

    Rows that were stored by earlier versions count as before the clock was set back.
    """
    time = f.col("last_time")
    if not sets_clock_back(game):
        return [time]
    return [f.coalesce(f.col(AFTER_SET_BACK), f.lit(False)).alias(AFTER_SET_BACK), time]
