"""Runs of the graph from this process, for the command line and the demo.

Belongs here: turning a range of days into one Dagster run, which the UI shows like any other.
"""

import datetime as dt
from collections.abc import Sequence

import dagster as dg
from dagster import DagsterEventType

from ds_assets.errors import InputError

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def materialize_days(
    defs: dg.Definitions,
    assets: Sequence[str],
    first: dt.date,
    last: dt.date,
    instance: dg.DagsterInstance,
) -> None:
    """Materialize assets, and run their checks, for each day of a range, in one run.

    Raises:
        InputError: the run failed; the message is what the failed steps and checks said.
    """
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(name) for name in assets],
        tags={RANGE_START: str(first), RANGE_END: str(last)},
        run_config={"loggers": {"console": {"config": {"log_level": "WARNING"}}}},
        raise_on_error=False,
    )
    if not result.success:
        raise InputError("\n".join([*_failures(result), f"This was run {result.run_id}."]))


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    checks = [
        evaluation for evaluation in result.get_asset_check_evaluations() if not evaluation.passed
    ]
    failed = [
        event.step_failure_data
        for event in result.all_events
        if event.event_type is DagsterEventType.STEP_FAILURE
    ]
    steps = [
        data.user_failure_data.description or data.error_display_string
        if data.user_failure_data
        else _innermost(data.error)
        for data in failed
    ]
    return [f"{c.asset_key.to_user_string()}: {c.description}" for c in checks] + steps


def _innermost(error: object) -> str:
    cause = getattr(error, "cause", None)
    return _innermost(cause) if cause else str(getattr(error, "message", error)).strip()
