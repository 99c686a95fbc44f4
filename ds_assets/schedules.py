"""Schedules: what runs at a time of the day."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from ds_assets.game import Game
from ds_assets.partitions import daily_partitions
from ds_assets.settings import Settings


def daily_collection(collect_logs: Any, game: Game, settings: Settings) -> dg.ScheduleDefinition:
    """Runs a job, at the set hour of the game's time zone, for the day before.

    Dagster's own schedule of a partitioned job asks for the last day of an ended game for ever.

    Args:
        collect_logs: The job.
        game: Its days and its time zone.
        settings: Name the hour.
    """
    partitions = daily_partitions(game)

    @dg.schedule(
        job=collect_logs,
        cron_schedule=f"0 {settings.schedule_hour} * * *",
        execution_timezone=game.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Copies the logs of the day that is over to the lake.",
    )
    def daily_collection(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(ZoneInfo(game.time_zone))
        yesterday = now.date() - dt.timedelta(days=1)
        if not partitions.has_partition_key(str(yesterday)):
            return dg.SkipReason(f"{yesterday} is no day of the game")
        return dg.RunRequest(partition_key=str(yesterday))

    return daily_collection
