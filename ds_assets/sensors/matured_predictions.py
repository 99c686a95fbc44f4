"""Runs that compare predictions with what happened, once their horizon has passed."""

import dagster as dg

from ds_assets.assets import prediction_outcomes
from ds_assets.sensors.run_requests import SensorEvaluation


def request_matured_days(evaluation: SensorEvaluation, job: str) -> list[dg.RunRequest]:
    """Request a run of matured predictions that were not compared since their data changed.

    It waits while any run is in progress.
    """
    if evaluation.busy_days():
        return []
    matured, newest = prediction_outcomes.due(evaluation.lake, evaluation.game)
    return evaluation.request_range(job, matured, newest) if matured else []
