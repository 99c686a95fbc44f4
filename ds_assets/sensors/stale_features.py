"""Runs of stored days whose features are older than the activity that they are made from."""

import datetime as dt

import dagster as dg

from ds_assets.core import features
from ds_assets.core.arrivals import outdated
from ds_assets.infra.lake.tables import stored_days
from ds_assets.sensors.run_requests import SensorEvaluation


def request_stale_days(evaluation: SensorEvaluation, job: str) -> list[dg.RunRequest]:
    """Request a run of days whose features or predictions are outdated.

    It waits while any run is in progress: one refresh is enough for all of them.
    """
    if evaluation.busy_days():
        return []
    stored = {
        table: [(day, it.modified) for day, it in stored_days(table, evaluation.lake).items()]
        for table in ("user_activity", "user_features", "predictions")
    }
    activity, featured, predicted = stored.values()
    reach = (dt.date.max - features.arrival_days(dt.date.max, evaluation.game)[0]).days
    stale = {*outdated(featured, activity, reach), *outdated(predicted, featured, 0)}
    if not stale:
        return []
    return evaluation.request_range(job, sorted(stale), max(at for _, at in activity))
