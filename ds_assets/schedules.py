"""Schedules: jobs that run at a time of day."""

import dagster as dg

from ds_assets.game import Game
from ds_assets.infra.lake.retention import Retention
from ds_assets.settings import Settings


def daily_retention(
    remove_expired_days: dg.JobDefinition, game: Game, settings: Settings, retention: Retention
) -> dg.ScheduleDefinition:
    """The schedule that applies the retention of the lake each day, if there is one.

    Args:
        remove_expired_days: The job.
        game: Its time zone.
        settings: The hour of the collection, in the game's time zone; this is some hours later.
        retention: How long what is kept.
    """

    @dg.schedule(
        job=remove_expired_days,
        cron_schedule=f"30 {(settings.schedule_hour + 3) % 24} * * *",
        execution_timezone=game.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Removes from the lake what is older than its retention demands.",
    )
    def daily_retention(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        del context
        if retention == Retention():
            return dg.SkipReason("everything is kept: no retention is set")
        return dg.RunRequest()

    return daily_retention
