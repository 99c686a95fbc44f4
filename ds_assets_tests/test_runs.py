"""Ranges of days as one Dagster run."""

import datetime as dt
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ds_assets import daily_assets, runs
from ds_assets.assets import raw_logs
from ds_assets.definitions import build_defs
from ds_assets.errors import InputError, Unavailable
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.log_source.base import SourceUnavailable
from ds_assets.infra.missing_days import WHAT_TO_DO
from ds_assets.installation import Installation as Installed
from ds_assets.runs import PROCESS, materialize_days
from ds_assets.settings import load_settings
from ds_assets_tests.assets.factories import (
    START,
    WHOLE_GRAPH,
    Installation,
    day,
    event,
    make_installation,
)
from ds_assets_tests.core.factories import make_game

FIRST_TWO = ("raw_logs", "user_activity")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = make_installation(tmp_path)
    for number in (0, 1, 3):
        installation.write_logs(day(number), event(number, f"{day(number)}T10:00:00Z"))
    return installation


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.mark.slow
def test_a_range_is_one_run_that_materializes_each_of_its_days(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    assert installation.run(START, day(1), FIRST_TWO, instance) == []
    (run,) = instance.get_runs()
    assert run.status is dg.DagsterRunStatus.SUCCESS
    for name in FIRST_TWO:
        done = instance.get_materialized_partitions(dg.AssetKey(name))
        assert done == {str(START), str(day(1))}


@pytest.mark.slow
def test_days_that_are_left_out_are_told_once_with_the_first_reason(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    folder = installation.source(day(2))
    messages = installation.run(START, day(3), FIRST_TWO, instance)
    assert messages == [f"{day(2)}: there are no log files in {folder}; {WHAT_TO_DO}"]
    assert installation.lake.days("user_activity") == [START, day(1), day(3)]


def test_a_run_that_fails_says_why_in_sentences_and_names_the_run(
    installation: Installation, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError) as caught:
        installation.run(day(2), assets=FIRST_TWO, instance=instance)
    (run,) = instance.get_runs()
    assert str(caught.value).splitlines() == [
        f"{day(2)}: there are no log files in {installation.source(day(2))}; {WHAT_TO_DO}",
        f"Run id: {run.run_id}",
    ]
    assert capfd.readouterr().err == ""


def test_a_reason_for_which_several_steps_fail_is_given_once(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    with pytest.raises(InputError) as caught:
        installation.run(START, assets=["churn_model", "payment_model"], instance=instance)
    assert str(caught.value).splitlines()[:-1] == [
        f"{START}: no clusters; materialize clusters first"
    ]


class BrokenEngine(dg.ConfigurableResource[LakeEngine]):
    """An engine that cannot be opened."""

    reason: str

    def create_resource(self, context: dg.InitResourceContext) -> LakeEngine:  # noqa: ARG002
        raise InputError(self.reason)


@dg.asset
def watched() -> None:
    """An asset with two checks that fail."""


@dg.multi_asset_check(specs=[dg.AssetCheckSpec(name, asset=watched) for name in ("warns", "stops")])
def both(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    for key, severity in zip(
        sorted(context.selected_asset_check_keys, key=lambda key: key.name),
        (dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN),
        strict=True,
    ):
        yield dg.AssetCheckResult(
            passed=False, severity=severity, description=f"it {key.name}", check_name=key.name
        )


def test_a_check_that_only_warns_is_not_a_reason_why_a_run_has_failed() -> None:
    job = dg.Definitions([watched], asset_checks=[both]).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(raise_on_error=False)
    assert runs._failures(result) == ["watched: it stops"]


def test_a_resource_that_cannot_be_opened_is_told_like_a_step_that_fails(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    engine = BrokenEngine(reason="DS_ASSETS_SPARK_REMOTE: no server answers")
    defs = build_defs(installation.installed, {"engine": engine})
    assets = dg.AssetSelection.assets(*FIRST_TWO)
    with pytest.raises(InputError) as caught:
        materialize_days(defs, assets, START, START, instance)
    assert str(caught.value).startswith("DS_ASSETS_SPARK_REMOTE: no server answers\nRun id: ")


def test_a_run_that_lacks_a_server_is_told_apart_from_one_with_a_mistake(
    installation: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_day(*_: object) -> None:
        raise SourceUnavailable("the log source does not answer")

    monkeypatch.setattr(raw_logs, "copy_day", copy_day)
    monkeypatch.setattr(daily_assets, "RETRIES", None)
    with pytest.raises(Unavailable, match=r"^the log source does not answer\nRun id: "):
        installation.run(START, assets=FIRST_TWO, instance=instance)


def add_started(instance: dg.DagsterInstance, process: str) -> str:
    """A run that began in a process, as the instance knows it."""
    run_id = str(uuid.uuid4())
    tags = {PROCESS: process} if process else {}
    started = dg.DagsterRunStatus.STARTED
    instance.add_run(dg.DagsterRun("any", run_id=run_id, status=started, tags=tags))
    return run_id


@pytest.mark.slow
def test_a_run_whose_process_was_killed_is_ended_by_the_next(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    killed = add_started(instance, f"{socket.gethostname()}:{gone.pid}")
    installation.run(START, assets=FIRST_TWO, instance=instance)
    run = instance.get_run_by_id(killed)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE


@pytest.mark.slow
@pytest.mark.parametrize(
    "process",
    [f"{socket.gethostname()}:{os.getpid()}", f"another machine:{2**22 + 1}", ""],
    ids=["lives", "of another machine", "of no known process"],
)
def test_a_run_that_lives_or_of_which_nothing_is_known_is_left_alone(
    installation: Installation, instance: dg.DagsterInstance, process: str
) -> None:
    other = add_started(instance, process)
    installation.run(START, assets=FIRST_TWO, instance=instance)
    run = instance.get_run_by_id(other)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.STARTED


@pytest.mark.parametrize(
    ("first", "last", "sentence"),
    [
        (2, 1, "the last day, 2026-01-02, lies before the first, 2026-01-03"),
        (
            -1,
            1,
            "found 2025-12-31 to 2026-01-02; accepted: 2026-01-01 to 2026-02-09",
        ),
        (
            1,
            40,
            "found 2026-01-02 to 2026-02-10; accepted: 2026-01-01 to 2026-02-09",
        ),
    ],
)
def test_days_that_the_game_has_not_are_refused_before_anything_runs(
    installation: Installation,
    instance: dg.DagsterInstance,
    first: int,
    last: int,
    sentence: str,
) -> None:
    with pytest.raises(InputError, match=sentence):
        installation.run(day(first), day(last), FIRST_TWO, instance)
    assert instance.get_runs() == []
    assert not installation.settings.lake.exists()


def test_a_game_that_begins_today_has_no_day_to_run_yet(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    today = dt.datetime.now(dt.UTC).date()
    installed = Installed(load_settings({"home": tmp_path}), make_game(first_day=today))
    with pytest.raises(InputError, match="no day of the game has ended yet"):
        materialize_days(build_defs(installed), WHOLE_GRAPH, today, today, instance)
