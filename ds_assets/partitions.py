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


def days_back(earliest: int, latest: int) -> dg.TimeWindowPartitionMapping:
    """A dependency on the days from `earliest` to `latest` days before, within the game.

    Negative numbers are days after it.
    """
    return dg.TimeWindowPartitionMapping(
        start_offset=-earliest, end_offset=-latest, allow_nonexistent_upstream_partitions=True
    )
