"""Partitions: one per day of the game, in the game's time zone."""

import datetime as dt

import dagster as dg

from ds_assets.game import Game


def daily_partitions(game: Game) -> dg.DailyPartitionsDefinition:
    """A partition for each day of the game that has ended."""
    end = None if game.last_day is None else game.last_day + dt.timedelta(days=1)
    return dg.DailyPartitionsDefinition(
        start_date=game.first_day.isoformat(),
        end_date=None if end is None else end.isoformat(),
        timezone=game.time_zone,
    )


def earlier_days(first: int, last: int = 0) -> dg.TimeWindowPartitionMapping:
    """A dependency on the days from `first` to `last` days earlier, within the game."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-first, end_offset=-last, allow_nonexistent_upstream_partitions=True
    )


def later_days(first: int, last: int) -> dg.TimeWindowPartitionMapping:
    """A dependency on the days from `first` to `last` days later, within the game."""
    return dg.TimeWindowPartitionMapping(
        start_offset=first, end_offset=last, allow_nonexistent_upstream_partitions=True
    )
