"""The sensor `raw_files`: looks at the lake's container and starts the runs that are needed.

It is one sensor, since its reasons for a run come in order: days are refreshed, and predictions
compared, only when no new day waits for its run.
"""

import datetime as dt

import dagster as dg

from ds_assets.game import Game
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.raw_logs import RAW
from ds_assets.infra.lake.refresh import find_changed_days
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.jobs import Job
from ds_assets.runs import end_killed_runs
from ds_assets.sensors.changed_settings import request_changed_days
from ds_assets.sensors.given_up import report_given_up
from ds_assets.sensors.lost_deliveries import withdraw_lost_deliveries, withdraw_refused_days
from ds_assets.sensors.matured_predictions import request_matured_days
from ds_assets.sensors.outdated_days import request_missing_deliveries, request_outdated_days
from ds_assets.sensors.raw_files import request_new_days
from ds_assets.sensors.run_requests import SensorEvaluation
from ds_assets.sensors.skipping import skip_on_errors

INTERVAL_SECONDS = 30


def raw_files_sensor(
    game: Game, predict: Job, predict_again: Job, deliver_again: Job, judge_predictions: Job
) -> dg.SensorDefinition:
    """The sensor on the lake's raw files.

    Args:
        game: Its days, and the marker of a complete day.
        predict: Job of a day whose raw files are new or have changed.
        predict_again: Job of days whose inputs have changed since they were made.
        deliver_again: Job of days with predictions that were not delivered.
        judge_predictions: Job of earlier days whose horizon has passed.
    """
    jobs = [job.name for job in (predict, predict_again, deliver_again, judge_predictions)]

    @dg.sensor(
        name="raw_files",
        jobs=[predict, predict_again, deliver_again, judge_predictions],
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs a day when its raw files arrive in the lake or change.",
    )
    @skip_on_errors
    def raw_files(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        results: dg.ResourceParam[ResultsDatabase],
        cache: dg.ResourceParam[PredictionCache],
    ) -> dg.SensorResult:
        end_killed_runs(context.instance)
        evaluation = SensorEvaluation.begin(context, game, lake, clock())
        report_given_up(evaluation, jobs)
        withdraw_refused_days(evaluation, results, cache)
        withdraw_lost_deliveries(evaluation, results, cache)
        if changed := find_changed_days(evaluation.records):
            requests = request_changed_days(
                evaluation, changed, predict.name, predict_again.name
            ) or request_missing_deliveries(evaluation, deliver_again.name)
        else:
            requests = (
                request_new_days(evaluation, predict.name)
                or request_outdated_days(evaluation, predict_again.name)
                or request_missing_deliveries(evaluation, deliver_again.name)
                or request_matured_days(evaluation, judge_predictions.name)
            )
        return evaluation.result(f"{lake}/{RAW}", requests, context.log)

    return raw_files


def clock() -> dt.datetime:
    """The current time; tests replace it."""
    return dt.datetime.now(dt.UTC)
