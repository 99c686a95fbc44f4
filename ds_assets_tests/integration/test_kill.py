"""A run that is killed at any moment and run again ends with the same predictions.

`python -m ds_assets_tests.integration.test_kill 10` does it with ten kills, and reports each.
"""

import datetime as dt
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from ds_assets.cli.main import main as ds_assets
from ds_assets.core.checksum import checksum
from ds_assets.infra.lake.base import day_folder
from ds_assets.infra.lake.raw_logs import RAW
from ds_assets_tests.assets.factories import START, Installation, make_played
from ds_assets_tests.infra.factories import get_rows

KILLS = 3
USERS, DAYS, SEED = 300, 24, 5
HISTORY = ("raw_logs", "user_activity", "user_lifetimes", "user_features")
_INSTANCE_FILE = Path(__file__).parents[2] / "dagster.yaml"
_LAST = START + dt.timedelta(days=DAYS - 1)
_LATER = _LAST - dt.timedelta(days=1)
"""First day of the runs that are killed; the days before have what models are trained on."""
_LONGEST_RUN = 600
# Runs are processes of their own, forked from one that has only imported what they need: imports
# take as long as the work of a day.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["ds_assets.definitions", "ds_assets.core.clusters.pictures", "lightgbm", "sqlframe.duckdb"]
)


@dataclass(frozen=True)
class Reference:
    """What runs that nobody killed make of a source."""

    before: Path
    """The source, with the features of all days before the later ones."""
    seconds: float
    """Of a run of the later days, from its first file in the lake to the end."""
    checksums: dict[dt.date, str]


def start(home: Path) -> BaseProcess:
    """Run the later days in a process of their own."""
    instance = home / "dagster"
    instance.mkdir(exist_ok=True)
    shutil.copy(_INSTANCE_FILE, instance)
    run = _PROCESSES.Process(target=_run_later_days, args=[home])
    run.start()
    return run


def _run_later_days(home: Path) -> None:
    """Run the command, as in a process of its own."""
    os.environ |= {"DS_ASSETS_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    os.chdir(home)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    sys.argv = ["ds-assets", "run", str(_LATER), str(_LAST)]
    ds_assets()


def kill(run: BaseProcess) -> None:
    """Kill a run at once: it can do nothing more."""
    run.kill()
    run.join()


def ends_well(run: BaseProcess) -> bool:
    """Wait for the end of a run; one that waits for what never comes is killed."""
    run.join(_LONGEST_RUN)
    if run.is_alive():
        kill(run)
    return run.exitcode == 0


def wait_for_lake(home: Path, run: BaseProcess) -> None:
    """Until the run has begun to write what is of its first day."""
    while not (home / "lake" / day_folder(RAW, _LATER)).exists():
        assert run.is_alive(), "the run ended before it had written anything"
        time.sleep(0.01)


def checksums(installation: Installation) -> dict[dt.date, str]:
    """Of the rows themselves, as they are stored, for each delivered day."""
    with installation.results() as database:
        return {
            delivery.as_of: checksum(database.day(delivery.as_of))
            for delivery in database.deliveries()
        }


def make_reference(folder: Path) -> Reference:
    before, home = folder / "before", folder / "never killed"
    installation, _ = make_played(before, users=USERS, days=DAYS, seed=SEED)
    installation.run(START, _LATER - dt.timedelta(days=1), HISTORY)
    shutil.copytree(before, home)
    run = start(home)
    wait_for_lake(home, run)
    began = time.monotonic()
    assert ends_well(run)
    return Reference(before, time.monotonic() - began, checksums(Installation(home)))


def kill_once(reference: Reference, home: Path, share: float) -> float:
    """Kill a run of the later days at a share of its usual time. Returns the seconds that it had.

    A run that was faster than the kill is started again, to be killed earlier.
    """
    while True:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(reference.before, home)
        run = start(home)
        wait_for_lake(home, run)
        seconds = share * reference.seconds
        run.join(seconds)
        if run.is_alive():
            kill(run)
            return seconds
        share /= 2


def kill_while_it_delivers(reference: Reference, home: Path) -> int:
    """Kill a run of the later days that has delivered some of them. Returns how many."""
    shutil.copytree(reference.before, home)
    run = start(home)
    wait_for_lake(home, run)
    while not (home / "results.sqlite").exists() or not Installation(home).delivered():
        assert run.is_alive(), "the run ended before it was seen to deliver"
        time.sleep(0.005)
    kill(run)
    return len(Installation(home).delivered())


def killed_and_run_again(reference: Reference, home: Path, share: float) -> tuple[float, int]:
    """Seconds that the killed run had, and days that it had delivered, after the second run.

    Raises:
        AssertionError: the second run failed, or ended with something else.
    """
    seconds = kill_once(reference, home, share)
    delivered = len(Installation(home).delivered())
    assert ends_well(start(home))
    assert_the_same(reference, home)
    return seconds, delivered


def shares(count: int) -> list[float]:
    chance = random.Random(SEED)
    return [chance.uniform(0.0, 0.95) for _ in range(count)]


def assert_the_same(reference: Reference, home: Path) -> None:
    """The database and the cache hold what they hold after a run that nobody killed."""
    installation = Installation(home)
    assert checksums(installation) == reference.checksums
    with installation.results() as database:
        assert database.current_day() == _LAST
        rows = database.day(_LAST)
    with installation.cache() as cache:
        cached = get_rows(cache, rows["user_id"].to_pylist())
    assert cached == rows.to_pylist()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return make_reference(tmp_path_factory.mktemp("kill"))


@pytest.mark.slow
def test_the_run_that_is_never_killed_delivers_every_day_and_has_models(
    reference: Reference,
) -> None:
    days = [_LATER + dt.timedelta(days=number) for number in range((_LAST - _LATER).days + 1)]
    assert sorted(reference.checksums) == days
    home = reference.before.parent / "never killed"
    rows = Installation(home).predictions(_LAST)
    assert rows["churn_model"].null_count == rows["payment_model"].null_count == 0


@pytest.mark.slow
@pytest.mark.parametrize("share", shares(KILLS))
def test_a_run_that_was_killed_and_run_again_ends_the_same(
    reference: Reference, tmp_path: Path, share: float
) -> None:
    killed_and_run_again(reference, tmp_path / "killed", share)


@pytest.mark.slow
def test_a_run_that_was_killed_while_it_delivered_and_run_again_ends_the_same(
    reference: Reference, tmp_path: Path
) -> None:
    assert 0 < kill_while_it_delivers(reference, tmp_path / "killed") <= len(reference.checksums)
    assert ends_well(start(tmp_path / "killed"))
    assert_the_same(reference, tmp_path / "killed")


def main(kills: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        expected = make_reference(Path(folder))
        print(f"never killed: {expected.seconds:.1f} s after the first write")  # noqa: T201
        for number, share in enumerate(shares(kills), start=1):
            home = Path(folder) / "killed"
            seconds, days = killed_and_run_again(expected, home, share)
            print(  # noqa: T201
                f"kill {number}: after {seconds:.1f} s, with {days} days delivered; "
                "run again, all days the same",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]))
