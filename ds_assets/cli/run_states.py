"""What Dagster knows of the newest run of each day, without changing anything.

Scope: reading an instance that exists. It is not in `standing`, as Dagster is slow to load.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from dagster import RunRecord
from sqlalchemy.exc import SQLAlchemyError

from ds_assets.errors import InputError
from ds_assets.runs import days_of_tags, describe_failure, is_killed

MAX_RUNS = 200
"""Newest runs that are looked at."""
MAX_FAILURES = 5
"""Failed runs of which the error is read."""
LOOK_BACK = dt.timedelta(days=14)
DAEMON_IS_LOST_AFTER = dt.timedelta(minutes=5)
_SENSOR_DAEMON = "SENSOR"
_FAILED = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
_KILLED = "its process was killed"


@dataclass(frozen=True)
class RunStates:
    """What is known of runs.

    Attributes:
        running: Days of runs that are in progress, or wait for their turn.
        failed: Days whose newest run has failed, with the reason.
        has_daemon: Whether the daemon that evaluates the sensors is alive.
    """

    running: frozenset[dt.date] = frozenset()
    failed: Mapping[dt.date, str] = field(default_factory=dict)
    has_daemon: bool = False


def read_run_states(dagster_home: Path, now: dt.datetime) -> RunStates:
    """Read the states of the newest run of each day.

    Args:
        dagster_home: Folder of the instance, which exists.
        now: The time.

    Raises:
        InputError: the instance cannot be used.
    """
    try:
        return _read_run_states(dagster_home, now)
    except (dg.DagsterError, SQLAlchemyError) as error:
        raise InputError(f"{dagster_home}: {str(error).partition(chr(10))[0]}") from None


def _read_run_states(dagster_home: Path, now: dt.datetime) -> RunStates:
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        newest = _find_newest_runs(instance, now)
        running = {day for day, it in newest.items() if _is_in_progress(it)}
        failed = {day: it for day, it in newest.items() if day not in running and _has_failed(it)}
        return RunStates(
            frozenset(running), _describe_failures(failed, instance), _has_daemon(instance, now)
        )


def _find_newest_runs(instance: dg.DagsterInstance, now: dt.datetime) -> dict[dt.date, RunRecord]:
    recent = dg.RunsFilter(updated_after=now - LOOK_BACK)
    newest: dict[dt.date, RunRecord] = {}
    for record in instance.get_run_records(recent, limit=MAX_RUNS):  # the newest first
        for day in days_of_tags(record.dagster_run.tags):
            newest.setdefault(day, record)
    return newest


def _is_in_progress(record: RunRecord) -> bool:
    return not record.dagster_run.is_finished and not is_killed(record.dagster_run)


def _has_failed(record: RunRecord) -> bool:
    return record.dagster_run.status in _FAILED or not record.dagster_run.is_finished


def _describe_failures(
    failed: Mapping[dt.date, RunRecord], instance: dg.DagsterInstance
) -> dict[dt.date, str]:
    runs = {it.dagster_run.run_id: it.dagster_run for it in failed.values()}
    errors = {
        run_id: describe_failure(instance, run_id) if run.is_finished else _KILLED
        for run_id, run in list(runs.items())[:MAX_FAILURES]
    }
    return {
        day: errors.get(it.dagster_run.run_id, f"see run {it.dagster_run.run_id}")
        for day, it in failed.items()
    }


def _has_daemon(instance: dg.DagsterInstance, now: dt.datetime) -> bool:
    heartbeat = instance.get_daemon_heartbeats().get(_SENSOR_DAEMON)
    if heartbeat is None:
        return False
    return now.timestamp() - heartbeat.timestamp < DAEMON_IS_LOST_AFTER.total_seconds()
