"""Runs of stored days whose inputs have changed since, and of deliveries that are missing."""

import dagster as dg

from ds_assets.core.run_order import MAX_DAYS_PER_RUN
from ds_assets.runs import delivering_assets, predicting_assets
from ds_assets.sensors.run_requests import SensorEvaluation


def request_outdated_days(
    evaluation: SensorEvaluation, job: str, cause: str = ""
) -> list[dg.RunRequest]:
    """Request a run of days that were made from other features, clusters or models than there are.

    It waits while any run is in progress: one refresh is enough for all of them.

    Args:
        evaluation: The evaluation.
        job: The job to run.
        cause: See `request_range`.
    """
    return _request(evaluation, job, predicting_assets(evaluation.game), cause)


def request_missing_deliveries(evaluation: SensorEvaluation, job: str) -> list[dg.RunRequest]:
    """Request a run of days whose predictions were not delivered, or were made again since."""
    return _request(evaluation, job, delivering_assets(evaluation.game), newest_first=True)


def _request(
    evaluation: SensorEvaluation,
    job: str,
    assets: tuple[str, ...],
    cause: str = "",
    *,
    newest_first: bool = False,
) -> list[dg.RunRequest]:
    if evaluation.is_busy:
        return []
    outdated = sorted({it for asset in assets for it in evaluation.records.outdated_days(asset)})
    if newest_first:
        outdated = [day for day in outdated if (outdated[-1] - day).days < MAX_DAYS_PER_RUN]
    return evaluation.request_range(job, outdated, assets, cause)
