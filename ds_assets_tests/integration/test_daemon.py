"""Dagster's own daemon with the sensor, killed in its middle: nothing lost, nothing twice."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from ds_assets.installation import open_lake
from ds_assets.jobs import PREDICT
from ds_assets_tests.assets.factories import Installation, day, event, make_installation
from ds_assets_tests.infra.lake.lakes import make_blob_lake

pytestmark = [pytest.mark.slow, pytest.mark.server]

ROOT = Path(__file__).parents[2]
DAYS = 2
PATIENCE = 240
"""Seconds after which a test would wait for ever."""


@contextmanager
def daemon(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "dagster._daemon", "run", "-m", "ds_assets.definitions"]
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)  # noqa: S603  (fixed)
    try:
        yield process
    finally:
        process.terminate()  # which ends its servers of code too
        process.wait()


def runs(instance: dg.DagsterInstance) -> Counter[tuple[str, str]]:
    """Runs of the job by day and how they stand."""
    predict_runs = instance.get_runs(dg.RunsFilter(job_name=PREDICT))
    return Counter((run.tags["dagster/partition"], run.status.value) for run in predict_runs)


def wait_for(happened: object, log: Path) -> None:
    assert callable(happened)
    waiting = Retrying(
        retry=retry_if_result(lambda done: not done),
        wait=wait_fixed(0.2),
        stop=stop_after_delay(PATIENCE),
        retry_error_callback=lambda _: pytest.fail(log.read_text()[-3000:]),
    )
    waiting(happened)


@pytest.fixture
def installation(tmp_path: Path, blob_url: str, monkeypatch: pytest.MonkeyPatch) -> Installation:
    home = tmp_path / "home"
    monkeypatch.setenv("DS_ASSETS_HOME", str(home))
    monkeypatch.setenv("DS_ASSETS_LAKE_URL", str(make_blob_lake(blob_url, tmp_path)))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    (tmp_path / "dagster").mkdir()
    shutil.copy(ROOT / "dagster.yaml", tmp_path / "dagster")
    return make_installation(home, logs={"marker": "_SUCCESS"})


def put(installation: Installation, number: int) -> None:
    settings = installation.settings
    lake = open_lake(settings.lake_url, settings.lake, settings.lake_cache)
    lines = [event(n, f"{day(number)}T12:00:00Z", f"u{n}") for n in range(9)]
    lake.write(f"raw/dt={day(number)}/events.jsonl", "\n".join(lines).encode())
    lake.write(f"raw/dt={day(number)}/_SUCCESS", b"")


def test_a_daemon_that_is_killed_and_started_again_runs_each_day_once(
    installation: Installation, tmp_path: Path
) -> None:
    log = tmp_path / "daemon.txt"
    with dg.DagsterInstance.get() as instance:
        put(installation, 0)
        with daemon(log) as first:
            wait_for(lambda: runs(instance), log)
            first.kill()  # when it has asked for a run
        for number in range(1, DAYS):
            put(installation, number)
        with daemon(log):
            done = Counter({(str(day(number)), "SUCCESS"): 1 for number in range(DAYS)})
            wait_for(lambda: runs(instance) == done, log)
    assert sorted(installation.delivered()) == [day(number) for number in range(DAYS)]
