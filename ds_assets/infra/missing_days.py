"""Days of the game without logs: neither in the lake nor in the log source.

Scope: finding and describing them.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from ds_assets.core.day_ranges import list_days, list_ranges
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import first_kept_days
from ds_assets.infra.lake.raw_logs import RAW
from ds_assets.infra.log_source.day_folders import DayFolders

WHAT_TO_DO = (
    "until it has logs, features lack its events, and labels whose window contains it do not "
    "mature, so that models learn from older snapshots; upload the files, or add the day to "
    "closed_days if the game was offline"
)
"""What a day without logs means, and what to do."""


def find_holes(
    newest: dt.date, made_days: Iterable[dt.date], lake: Lake, game: Game
) -> list[dt.date]:
    """Find the days of the game without logs in the lake, ascending.

    Days that the retention has removed are no holes.

    Args:
        newest: The newest day to look for.
        made_days: Days that were made from logs, which may have been deleted since.
        lake: The lake.
        game: The game.
    """
    stored = {*lake.days(RAW), *made_days}
    first = max(game.first_day, first_kept_days(lake).get("tables", game.first_day))
    return [day for day in list_days(first, newest) if day not in stored]


def find_missing_days(holes: Sequence[dt.date], folders: DayFolders, game: Game) -> list[dt.date]:
    """Find the days without logs in the lake that the log source does not have, either.

    Closed days are not missing.
    """
    in_source = set(folders.find_days(holes))
    return [day for day in holes if day not in in_source and day not in game.closed_days]


def describe_missing_days(days: Sequence[dt.date], source: str) -> str:
    """Say which days are missing, what it means, and what to do."""
    if not days:
        return "every day has logs, or waits to be collected"
    return f"no logs of {list_ranges(days)} in {source} and the lake: {WHAT_TO_DO}"
