"""How complete the windows are that the features of a day look back over.

Scope: the days that are missing in them, and whether they distort predictions. Which days are
stored and not refused is given.
"""

import datetime as dt
from collections.abc import Container
from typing import NamedTuple

from ds_assets.core.open_days import subtract_open_days
from ds_assets.game import Game

RECENT_DAYS = 3
"""Open days before a day whose loss makes users look as if they had left."""
MAX_MISSING_RECENT_DAYS = 1
"""With more of them missing, predictions are worse than those of an earlier day; measured by
`python -m benchmarks.missing_days`."""


class WindowDays(NamedTuple):
    """How many open days a window has, and how many of them are stored."""

    present: int
    expected: int

    def __str__(self) -> str:
        return f"{self.present} of {self.expected}"


def count_window_days(
    day: dt.date, stored: Container[dt.date], game: Game
) -> dict[int, WindowDays]:
    """Count the days of each window; days before the game's first one are not expected."""
    windows = {}
    for length in game.windows:
        expected = _open_days(day, length, game)
        windows[length] = WindowDays(sum(it in stored for it in expected), len(expected))
    return windows


def find_missing_active_days(day: dt.date, stored: Container[dt.date], game: Game) -> list[dt.date]:
    """Find the missing days among the `active_days` that end with a day, ascending."""
    return [it for it in _open_days(day, game.active_days, game) if it not in stored]


def find_distorting_days(day: dt.date, stored: Container[dt.date], game: Game) -> list[dt.date]:
    """Find the missing days just before a day, ascending; none where they are few enough."""
    recent = [it for it in _open_days(day, RECENT_DAYS + 1, game) if it < day]
    missing = [it for it in recent if it not in stored]
    return missing if len(missing) > MAX_MISSING_RECENT_DAYS else []


def _open_days(day: dt.date, count: int, game: Game) -> list[dt.date]:
    """The open days of a window that ends with a day, from the game's first day on."""
    before = subtract_open_days(day, count, game.closed_days)
    days = (before + dt.timedelta(days=n + 1) for n in range((day - before).days))
    return [it for it in days if it >= game.first_day and it not in game.closed_days]
