"""Runs that compare days with what happened afterwards, once their horizon has passed."""

import dagster as dg

from ds_assets.core.tables import PREDICTION_OUTCOMES, PROMOTION_RESULTS
from ds_assets.infra.labels import find_stored_due_outcomes
from ds_assets.sensors.run_requests import SensorEvaluation


def request_matured_days(evaluation: SensorEvaluation, job: str) -> list[dg.RunRequest]:
    """Request a run of matured predictions that were not compared since their data changed.

    It waits while any run is in progress.
    """
    if evaluation.is_busy:
        return []
    due = find_stored_due_outcomes(evaluation.records, evaluation.game)
    of_promotions = [PROMOTION_RESULTS.name] if evaluation.game.promotions else []
    return evaluation.request_range(job, due, (PREDICTION_OUTCOMES.name, *of_promotions))
