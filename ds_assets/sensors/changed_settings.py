"""Runs of days that another game file made, once the operator has asked for them.

Until then nothing is made: new days would mix with days of another meaning.
"""

from collections.abc import Sequence

import dagster as dg

from ds_assets.core.game_settings import ACTIVITY
from ds_assets.infra.lake.refresh import (
    ChangedDays,
    describe_changed_days,
    read_refresh_request,
)
from ds_assets.runs import estimate_duration
from ds_assets.sensors.outdated_days import request_outdated_days
from ds_assets.sensors.run_requests import SensorEvaluation


def request_changed_days(
    evaluation: SensorEvaluation,
    changed: Sequence[ChangedDays],
    predict: str,
    predict_again: str,
) -> list[dg.RunRequest]:
    """Request a run of the earliest days that another game file made, activity first.

    Without the operator's request nothing is run, and a warning says why.

    Args:
        evaluation: The evaluation.
        changed: The days; there is one at least.
        predict: Job from activity on.
        predict_again: Job from features on.
    """
    request = read_refresh_request(evaluation.game, evaluation.lake)
    if request is None:
        days = {day for part in changed for day in part.days}
        duration = estimate_duration(evaluation.instance, len(days))
        evaluation.warnings.append(describe_changed_days(changed, duration))
        return []
    if evaluation.is_busy:
        return []
    for part in changed:
        if part.asset == ACTIVITY:
            return evaluation.request_range(predict, part.days, (ACTIVITY,), request)
    return request_outdated_days(evaluation, predict_again, request)
