"""Runs of stored days whose inputs have changed since, and of deliveries that are missing."""

import dagster as dg

from ds_assets.core.run_order import MAX_DAYS_PER_RUN
from ds_assets.core.targets import targets_of
from ds_assets.game import Game
from ds_assets.sensors.run_requests import SensorEvaluation

DELIVERIES = ("rds_results", "prediction_cache")


def request_outdated_days(evaluation: SensorEvaluation, job: str) -> list[dg.RunRequest]:
    """Request a run of days that were made from other features, clusters or models than there are.

    It waits while any run is in progress: one refresh is enough for all of them.
    """
    return _request(evaluation, job, predicting_assets(evaluation.game))


def request_missing_deliveries(evaluation: SensorEvaluation, job: str) -> list[dg.RunRequest]:
    """Request a run of days whose predictions were not delivered, or were made again since."""
    return _request(evaluation, job, DELIVERIES, newest_first=True)


def predicting_assets(game: Game) -> tuple[str, ...]:
    """The assets from features to predictions, and the profiles of clusters."""
    models = (target.model_asset for target in targets_of(game).values())
    return ("user_features", "clusters", *models, "predictions", "cluster_profiles")


def _request(
    evaluation: SensorEvaluation, job: str, assets: tuple[str, ...], *, newest_first: bool = False
) -> list[dg.RunRequest]:
    if evaluation.is_busy:
        return []
    outdated = sorted({it for asset in assets for it in evaluation.records.outdated_days(asset)})
    if newest_first:
        outdated = [day for day in outdated if (outdated[-1] - day).days < MAX_DAYS_PER_RUN]
    return evaluation.request_range(job, outdated, assets)
