"""Runs that were given up: which, and the asset check that shows them until they are resolved.

Scope: finding and reporting. `core.arrivals` decides when a run is given up, and tried again.
"""

from collections.abc import Iterable, Sequence

import dagster as dg

from ds_assets.core.arrivals import RETRY_AFTER, RETRY_GIVEN_UP_AFTER, is_given_up
from ds_assets.infra.lake.provenance import Records
from ds_assets.jobs import COLLECT, DELIVER_AGAIN, JUDGE, PREDICT, PREDICT_AGAIN
from ds_assets.sensors.run_requests import FILES, RunIntent, SensorEvaluation

CHECK = "is_not_given_up"
FIRST_ASSETS = {
    COLLECT: "raw_logs",
    PREDICT: "user_activity",
    PREDICT_AGAIN: "user_lifetimes",
    DELIVER_AGAIN: "rds_results",
    JUDGE: "prediction_outcomes",
}
"""The first asset of each job, whose check shows the runs of the job that were given up."""
_LAST_ASSETS = {
    PREDICT: ("user_activity", "predictions", "rds_results", "prediction_cache"),
    PREDICT_AGAIN: ("predictions", "rds_results", "prediction_cache"),
    DELIVER_AGAIN: ("rds_results", "prediction_cache"),
    JUDGE: ("prediction_outcomes",),
}
"""The assets of each job that are current only if all of its assets are."""
_LOOK_BACK = 2 * RETRY_GIVEN_UP_AFTER
"""Within this time a run that was given up has failed again, or was not tried again."""
_MAX_REPORTED = 25
"""Bounds the cursor, which holds their tags."""


def find_given_up(evaluation: SensorEvaluation, jobs: Iterable[str]) -> list[RunIntent]:
    """Find the runs of jobs that were given up and whose days have not been made since."""
    failed = evaluation.instance.get_run_records(
        dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
            updated_after=evaluation.now - _LOOK_BACK,
        )
    )
    tags = {tag for record in failed for tag in record.dagster_run.tags.get(FILES, "").split()}
    wanted = set(jobs)
    intents = [intent for tag in sorted(tags) if (intent := RunIntent.of_tag(tag)).job in wanted]
    attempts = evaluation.attempts(intents)
    return [
        intent
        for intent in intents
        if is_given_up(attempts[intent.tag]) and not is_resolved(intent, evaluation.records)
    ]


def is_resolved(intent: RunIntent, records: Records) -> bool:
    """Whether everything that a run was to make is stored, as after a run that a person started.

    Of several days the first and the last decide: some between them may not need the run.
    """
    days, assets = {intent.first, intent.last}, _LAST_ASSETS.get(intent.job, ())
    return bool(assets) and all(days <= records.current_days(asset) for asset in assets)


def report_given_up(evaluation: SensorEvaluation, jobs: Sequence[str]) -> None:
    """Warn of runs that have been given up since the last evaluation, and update the checks."""
    cursor = evaluation.cursor
    given_up = {intent.tag: intent for intent in find_given_up(evaluation, jobs)[:_MAX_REPORTED]}
    for tag in sorted(given_up.keys() - cursor.given_up):
        intent = given_up[tag]
        evaluation.warnings.append(_describe(intent))
        evaluation.events.append(
            dg.AssetObservation(
                FIRST_ASSETS[intent.job], _describe(intent), partition=str(intent.first)
            )
        )
    changed = {RunIntent.of_tag(tag).job for tag in given_up.keys() ^ cursor.given_up}
    cursor.given_up = set(given_up)
    for job in sorted(changed):
        result = check_result([it for it in given_up.values() if it.job == job])
        evaluation.report_check(FIRST_ASSETS[job], CHECK, result)


def check_result(given_up: Sequence[RunIntent]) -> dg.AssetCheckResult:
    """The result of the check of a job, given its runs that were given up."""
    return dg.AssetCheckResult(
        passed=not given_up,
        severity=dg.AssetCheckSeverity.ERROR,
        description=" ".join(map(_describe, given_up)) or "no run was given up",
        metadata={"given_up": len(given_up)},
    )


def _describe(intent: RunIntent) -> str:
    return (
        f"Giving up on {intent.first} to {intent.last} after {len(RETRY_AFTER) + 1} failed runs of "
        f"{intent.job} for unchanged input files. Fix the cause, then launch the run manually, or "
        "wait: it is tried again once a day."
    )
