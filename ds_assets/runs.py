"""Runs of the graph in this process, for the command line and the demo.

Scope: a range of days as one Dagster run, which the UI shows like any other.
"""

import datetime as dt
import errno
import os
import shutil
import socket
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import dagster as dg
from dagster import DagsterEventType
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.execution.api import execute_run
from dagster._core.execution.execution_result import ExecutionResult
from dagster._core.execution.plan.objects import StepFailureData
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo

from ds_assets.core.day_ranges import list_days
from ds_assets.core.game_settings import ACTIVITY, COHORTS, FEATURES, LIFETIMES, PROMOTIONS
from ds_assets.core.lineage import EFFECT_MODELS, RAW_LOGS
from ds_assets.core.run_order import MAX_DAYS_PER_RUN
from ds_assets.core.tables import PROMOTION_CHANGES, PROMOTION_SHOWN, USER_EFFECTS
from ds_assets.core.targets import targets_of
from ds_assets.daily_assets import LEFT_OUT
from ds_assets.errors import InputError, Unavailable
from ds_assets.event_batches import store_in_batches
from ds_assets.game import Game
from ds_assets.infra.labels import find_stored_due_outcomes
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.refresh import find_days_without_files
from ds_assets.installation import Installation
from ds_assets.jobs import DELIVERED, OUTCOMES, PREDICT
from ds_assets.partitions import daily_partitions

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
_PARTITION = "dagster/partition"
_OF_DAGSTER = ("Dagster", "RetryRequested")
_RUNS_OBSERVED = 20
_REFRESHED = (
    (ACTIVITY, dg.AssetSelection.assets(ACTIVITY)),
    (LIFETIMES, dg.AssetSelection.assets(LIFETIMES)),
    (FEATURES, dg.AssetSelection.assets(FEATURES)),
    (COHORTS, dg.AssetSelection.assets(COHORTS)),
    ("clusters", dg.AssetSelection.assets("clusters").downstream() - OUTCOMES),
    ("rds_results", DELIVERED),
    ("prediction_outcomes", OUTCOMES),
)
"""What is made again, in this order: the days of an asset that are outdated, and what to run.

All activity comes before lifetimes and features, and all features before models, which learn from
many days."""
CODE_LOCATION = "ds_assets"
"""Name of the code location in `workspace.yaml` and `pyproject.toml`."""
PROCESS = "ds_assets/process"
"""Tag with the machine and the process of a run."""
RUN_ID = "Run id: "
"""Begins the last line of the error of a run that has failed."""
_INSTANCE_FILE = Path(__file__).with_name("dagster.yaml")

StepState: TypeAlias = Literal["started", "done", "failed"]
_STATES: dict[DagsterEventType, StepState] = {
    DagsterEventType.STEP_START: "started",
    DagsterEventType.STEP_SUCCESS: "done",
    DagsterEventType.STEP_FAILURE: "failed",
}


class RunObserver(Protocol):
    """Receives what is planned, and what becomes known of it."""

    def plan(self, steps: Iterable[str], days: int) -> None:
        """Receive the names of steps that will run for so many days."""
        ...

    def report_step(self, step: str, state: StepState, days: int) -> None:
        """Receive what has become known of a step that runs for so many days."""
        ...


def open_instance(home: Path) -> dg.DagsterInstance:
    """Open the Dagster instance of DAGSTER_HOME, or without it that in the home's folder `dagster`.

    The folder is created when needed, with the project's `dagster.yaml`, and DAGSTER_HOME is set
    for the processes that this one starts.

    Args:
        home: Home of the installation.

    Raises:
        InputError: the instance cannot be opened.
    """
    try:
        if not os.environ.get("DAGSTER_HOME"):
            os.environ["DAGSTER_HOME"] = str(create_dagster_home(home))
        instance = dg.DagsterInstance.get()
        store_in_batches(instance)
    except OSError as error:
        raise InputError(f"the home of Dagster cannot be used: {error}") from None
    except dg.DagsterError as error:
        raise InputError(str(error).partition("\nYou can resolve")[0]) from None
    return instance


def create_dagster_home(home: Path) -> Path:
    """Create the folder of the installation's own Dagster instance, and return it."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _INSTANCE_FILE.name).exists():
        shutil.copy(_INSTANCE_FILE, folder)
    return folder


def materialize_days(
    defs: dg.Definitions,
    assets: dg.AssetSelection,
    first: dt.date,
    last: dt.date,
    instance: dg.DagsterInstance,
    observer: RunObserver | None = None,
) -> list[str]:
    """Materialize assets and run their checks, for each day of a range, in one run.

    Args:
        defs: The graph.
        assets: Assets of it.
        first: First day.
        last: Last day.
        instance: Where the run is recorded.
        observer: Receives the start and the end of each step.

    Returns:
        A sentence for each reason why days were left out.

    Raises:
        InputError: the game does not have these days, or the run failed; the message holds those of
            the failed steps and checks.
        Unavailable: the run failed because a server cannot be used.
    """
    keys = sorted(assets.resolve(defs.resolve_asset_graph()))
    refuse_other_days(defs, first, last)
    end_killed_runs(instance)
    job = defs.resolve_implicit_global_asset_job_def()
    run_id = str(uuid.uuid4())
    if observer:
        days = (last - first).days + 1
        instance.add_event_listener(run_id, _step_listener(observer, days))
    # `execute_in_process` makes runs without a code location, which the overview of the UI lacks.
    run = instance.create_run_for_job(
        job_def=job.get_subset(asset_selection=set(keys)),
        run_id=run_id,
        asset_selection=frozenset(keys),
        tags={RANGE_START: str(first), RANGE_END: str(last), PROCESS: _process(os.getpid())},
        # The caller reports; the run's log is stored with the instance.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        remote_job_origin=_origin_of(job.name),
    )
    result = execute_run(InMemoryJob(job), run, instance)
    if not result.success:
        kind = Unavailable if _lacked_a_server(result) else InputError
        raise kind("\n".join([*_failures(result), f"{RUN_ID}{result.run_id}"]))
    return _left_out(result)


def _origin_of(job: str) -> RemoteJobOrigin:
    """Where the UI finds a job: in the code location of `workspace.yaml`."""
    target = LoadableTargetOrigin(
        executable_path=sys.executable, module_name=f"{CODE_LOCATION}.definitions"
    )
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, CODE_LOCATION)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME), job)


def materialize_ranges(
    defs: dg.Definitions,
    assets: dg.AssetSelection,
    ranges: Sequence[tuple[dt.date, dt.date]],
    instance: dg.DagsterInstance,
    observer: RunObserver,
) -> list[str]:
    """Materialize assets for ranges of days, each in one run; see `materialize_days`."""
    plan_ranges(defs, assets, ranges, observer)
    return [
        sentence
        for first, last in ranges
        for sentence in materialize_days(defs, assets, first, last, instance, observer)
    ]


def plan_ranges(
    defs: dg.Definitions,
    assets: dg.AssetSelection,
    ranges: Sequence[tuple[dt.date, dt.date]],
    observer: RunObserver,
) -> None:
    """Announce that assets will be materialized for ranges of days."""
    graph = defs.resolve_asset_graph()
    keys = assets.resolve(graph)
    names = [key.to_user_string() for key in graph.toposorted_asset_keys if key in keys]
    if days := sum((last - first).days + 1 for first, last in ranges):
        observer.plan(names, days)


def refresh_days(
    defs: dg.Definitions,
    installation: Installation,
    instance: dg.DagsterInstance,
    observer: RunObserver,
) -> list[str]:
    """Make all outdated days again, in order, in runs of up to `MAX_DAYS_PER_RUN` days.

    Stopped and started again, it continues: the days that remain are those that are still outdated.

    Args:
        defs: The graph.
        installation: The installation that it runs on.
        instance: Where the runs are recorded.
        observer: Receives the start and the end of each step.

    Returns:
        A sentence for each reason why days were left out.

    Raises:
        InputError: a run failed.
        Unavailable: a run failed because a server cannot be used.
    """
    game, lake = installation.game, installation.lake()
    left_out: list[str] = []
    for asset, selection in _REFRESHED:
        done: set[dt.date] = set()
        while remaining := [
            day for day in find_outdated_days(asset, game, lake) if day not in done
        ]:
            near = [day for day in remaining if (day - remaining[0]).days < MAX_DAYS_PER_RUN]
            ranges = [(near[0], near[-1])]
            left_out += materialize_ranges(defs, selection, ranges, instance, observer)
            done.update(near)
    return list(dict.fromkeys(left_out))


def find_outdated_days(asset: str, game: Game, lake: Lake) -> list[dt.date]:
    """Find the days to make again of an asset of `_REFRESHED`, and of those made with it."""
    records = open_records(game, lake)
    if asset == "prediction_outcomes":
        return find_stored_due_outcomes(records, game)
    made_together = {
        "clusters": predicting_assets(game)[3:],
        "rds_results": delivering_assets(game),
    }
    assets = made_together.get(asset, (asset,))
    outdated = {day for together in assets for day in records.outdated_days(together)}
    if asset == ACTIVITY:
        outdated.difference_update(find_days_without_files(outdated, lake))
    partitions = set(daily_partitions(game).get_partition_keys())
    return sorted(day for day in outdated if str(day) in partitions)


def predicting_assets(game: Game) -> tuple[str, ...]:
    """The assets from lifetimes and features to predictions, and what is made from these."""
    models = (target.model_asset for target in targets_of(game).values())
    predicted = ("clusters", *models, "predictions", "cluster_profiles")
    of_promotions = (EFFECT_MODELS, USER_EFFECTS.name, PROMOTIONS, PROMOTION_SHOWN.name)
    promoted = of_promotions if game.promotions else ()
    return (LIFETIMES, FEATURES, COHORTS, *predicted, *promoted)


def delivering_assets(game: Game) -> tuple[str, ...]:
    """The assets that bring a day to others."""
    promoted = (PROMOTION_CHANGES.name,) if game.promotions else ()
    return ("rds_results", "prediction_cache", *promoted)


def estimate_duration(instance: dg.DagsterInstance, days: int) -> dt.timedelta | None:
    """How long it takes to make days from their raw files, by the latest runs of days.

    None without such runs.
    """
    succeeded = dg.RunsFilter(job_name=PREDICT, statuses=[dg.DagsterRunStatus.SUCCESS])
    runs = instance.get_run_records(succeeded, limit=_RUNS_OBSERVED)
    seconds = sum((run.end_time or 0.0) - (run.start_time or 0.0) for run in runs)
    made_days = sum(len(days_of_tags(run.dagster_run.tags)) for run in runs)
    return dt.timedelta(seconds=seconds * days / made_days) if made_days and seconds else None


def days_of_tags(tags: Mapping[str, str]) -> list[dt.date]:
    """Days of a run, by its tags; none where other code has partitions that are no days."""
    first = tags.get(RANGE_START) or tags.get(_PARTITION, "")
    last = tags.get(RANGE_END) or first
    try:
        start, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    except ValueError:
        return []
    return list_days(start, end)


def _step_listener(observer: RunObserver, days: int) -> Callable[[dg.EventLogEntry], None]:
    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.step_key and event.event_type in _STATES:
            observer.report_step(event.step_key, _STATES[event.event_type], days)

    return listen


def end_killed_runs(instance: dg.DagsterInstance) -> None:
    """Report runs whose process was killed as failed, and free their concurrency slots.

    Nothing else does: the killed process cannot, and its slot in a pool would
    block every later run.
    """
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if is_killed(run):
            instance.report_run_failed(run, "The process of the run was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def is_killed(run: dg.DagsterRun) -> bool:
    """Whether the process of a run that has started on this machine exists no longer."""
    machine, _, pid = run.tags.get(PROCESS, "").rpartition(":")
    is_started_here = machine == _process(0).rpartition(":")[0]
    has_started = run.status is dg.DagsterRunStatus.STARTED
    return has_started and is_started_here and not _is_alive(int(pid))


def _process(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:  # EPERM means that the process exists
        return error.errno != errno.ESRCH
    return True


def refuse_other_days(defs: dg.Definitions, first: dt.date, last: dt.date) -> None:
    """Refuse a range of days that the game does not have.

    Raises:
        InputError: the message says which days it has.
    """
    if last < first:
        raise InputError(f"the last day, {last}, lies before the first, {first}")
    partitions = defs.resolve_assets_def(dg.AssetKey(RAW_LOGS)).partitions_def
    days = partitions.get_partition_keys() if partitions else []
    if not days:
        raise InputError("no day of the game has ended yet")
    if not days[0] <= str(first) <= str(last) <= days[-1]:
        raise InputError(
            f"found {first} to {last}; accepted: {days[0]} to {days[-1]}, the days of the game "
            "that have ended"
        )


def _left_out(result: ExecutionResult) -> list[str]:
    """Reason of the first asset that left out each day; downstream assets only repeat it."""
    reasons: dict[str | None, str] = {}
    for event in result.all_events:
        if event.is_step_materialization:
            materialization = event.step_materialization_data.materialization
            if LEFT_OUT in materialization.metadata:
                reasons.setdefault(
                    materialization.partition, str(materialization.metadata[LEFT_OUT].value)
                )
    return list(dict.fromkeys(reasons.values()))


def _failures(result: ExecutionResult) -> list[str]:
    """A sentence for each failed check, step and resource; one that repeats another is left out.

    Checks that only warn stop nothing, and are left out.
    """
    checks = [
        check
        for check in result.get_asset_check_evaluations()
        if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR
    ]
    refused = [
        data.user_failure_data.description or data.error_display_string
        for data in _step_failures(result)
        if data.user_failure_data
    ]
    sentences = [
        *(f"{check.asset_key.to_user_string()}: {check.description}" for check in checks),
        *refused,
        *map(_describe, _errors(result)),
    ]
    return list(dict.fromkeys(sentences))


def describe_failure(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why a run has failed, in the words of its first step that failed, or of the run."""
    for kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE):
        for entry in instance.all_logs(run_id, of_type=kind):
            event = entry.dagster_event
            if event is not None and event.event_type is DagsterEventType.STEP_FAILURE:
                return _describe_step(event.step_failure_data)
            return entry.user_message or entry.message
    return f"see run {run_id}"


def _describe_step(data: StepFailureData) -> str:
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    return _describe(_root_cause(data.error)) if data.error else data.error_display_string


def _lacked_a_server(result: ExecutionResult) -> bool:
    names = _class_names(Unavailable) - _class_names(InputError)
    return any(error.cls_name in names for error in _errors(result))


def _errors(result: ExecutionResult) -> list[SerializableErrorInfo]:
    """Errors that steps and resources raised, without those that Dagster wraps them in."""
    steps = [data.error for data in _step_failures(result) if not data.user_failure_data]
    resources = [
        event.engine_event_data.error
        for event in result.all_events
        if event.event_type is DagsterEventType.RESOURCE_INIT_FAILURE
    ]
    return [_root_cause(error) for error in (*steps, *resources) if error]


def _step_failures(result: ExecutionResult) -> list[StepFailureData]:
    return [
        event.step_failure_data
        for event in result.all_events
        if event.event_type is DagsterEventType.STEP_FAILURE
    ]


def _root_cause(error: SerializableErrorInfo) -> SerializableErrorInfo:
    while error.cause and str(error.cls_name).startswith(_OF_DAGSTER):
        error = error.cause
    return error


def _describe(error: SerializableErrorInfo) -> str:
    """The error's own message for errors made for users; else also its class, for developers."""
    text = error.message.strip()
    if error.cls_name in _class_names(Unavailable) | _class_names(InputError):
        return text.partition(f"{error.cls_name}: ")[2] or text
    return text


def _class_names(kind: type[Exception]) -> set[str]:
    """Names of a class and its subclasses: Dagster keeps an error's class by name."""
    return {kind.__name__}.union(*map(_class_names, kind.__subclasses__()))
