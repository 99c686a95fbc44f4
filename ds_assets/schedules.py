"""Schedules: jobs that run at a time of day."""

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg

from ds_assets.game import Game
from ds_assets.jobs import Job
from ds_assets.partitions import daily_partitions
from ds_assets.settings import Settings


def daily_collection(collect_logs: Job, game: Game, settings: Settings) -> dg.ScheduleDefinition:
    """The schedule that runs a job each day for the day before.

    Dagster's own schedule of a partitioned job would request the last day of a game that has ended
    again and again.

    Args:
        collect_logs: The job.
        game: Its days and its time zone.
        settings: The hour, in the game's time zone.
    """
    partitions = daily_partitions(game)

    @dg.schedule(
        job=collect_logs,
        cron_schedule=f"0 {settings.schedule_hour} * * *",
        execution_timezone=game.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Copies the logs of the previous day to the lake.",
    )
    def daily_collection(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = context.scheduled_execution_time.astimezone(ZoneInfo(game.time_zone))
        yesterday = now.date() - dt.timedelta(days=1)
        if not partitions.has_partition_key(str(yesterday)):
            return dg.SkipReason(f"{yesterday} is not a day of the game")
        return dg.RunRequest(partition_key=str(yesterday))

    return daily_collection
