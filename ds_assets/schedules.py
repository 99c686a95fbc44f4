"""Schedules: what runs at a time of the day."""

from typing import Any

import dagster as dg

from ds_assets.settings import Settings


def daily_collection(collect_logs: Any, settings: Settings) -> Any:
    """Runs a job, at the set hour of the game's time zone, for the day before.

    Args:
        collect_logs: The job.
        settings: Name the hour.
    """
    return dg.build_schedule_from_partitioned_job(
        collect_logs,
        name="daily_collection",
        hour_of_day=settings.schedule_hour,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Copies the logs of the day that is over to the lake.",
    )
