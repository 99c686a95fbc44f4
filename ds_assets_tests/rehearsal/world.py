"""An installation in operation: its source, its sensors, its runs, and a fast clock.

Scope: one day after another. What goes wrong is in `events.py`.

Two functions of the sensors are replaced. The newest day that is due is the simulated one, and
their clock runs ahead of the real one, so that no pause between two looks or retries is waited for.
"""

import datetime as dt
import gzip
import multiprocessing
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import dagster as dg

from ds_assets.cli.main import main as ds_assets
from ds_assets.core.game_settings import ACTIVITY
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.missing_days import find_holes, find_missing_days
from ds_assets.runs import create_dagster_home
from ds_assets.sensors.log_source import LOOK_INTERVAL
from ds_assets_tests.assets.factories import Installation

RESOURCES = {"log_source": ("lake", "log_source"), "raw_files": ("lake", "results", "cache")}
"""The sensors, in the order in which they are evaluated, and the resources of each."""
MAX_ROUNDS_PER_DAY = 40
CURRENT_ASSETS = (ACTIVITY, "user_features", "predictions", "rds_results", "prediction_cache")
"""Assets of which every day has to be current when the sensors have nothing to do."""

# A killed run is a process of its own, forked from one that has only imported what it needs.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["ds_assets.definitions", "ds_assets.cli.main"])

Action = Callable[[], None]


@dataclass
class World:
    """The installation, and what is planned for it.

    Attributes:
        home: Its folder.
        logs: Folder with all logs of the game, from which days are uploaded.
        chance: Where all random choices come from.
        say: Receives a line for each thing that happens.
        today: The simulated day, whose logs are due.
        ahead: How far the sensors' clock is ahead.
        accepted: Days that the operator let pass with their few events.
        uploaded: Days that were uploaded, at least in part.
        plans: What happens on later days.
        backup: The results database at an earlier time.
    """

    home: Path
    logs: Path
    chance: random.Random
    say: Callable[[str], None]
    today: dt.date
    ahead: dt.timedelta = dt.timedelta(hours=1)
    accepted: set[dt.date] = field(default_factory=set)
    uploaded: set[dt.date] = field(default_factory=set)
    plans: dict[dt.date, list[Action]] = field(default_factory=dict)
    backup: bytes = b""
    _cursors: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reload()
        self.instance = dg.DagsterInstance.from_config(str(create_dagster_home(self.home)))

    def reload(self) -> None:
        """Load the game file again, as a restarted code location does."""
        self.installation = Installation(self.home)

    @property
    def records(self) -> Records:
        """What is stored, and from what it was made."""
        return open_records(self.installation.game, self.installation.lake)

    def clock(self) -> dt.datetime:
        """The time of the sensors."""
        return dt.datetime.now(dt.UTC) + self.ahead

    def begin_day(self) -> None:
        """Let a day pass, also for the sensors, which wait a day before they repeat some runs."""
        self.today += dt.timedelta(days=1)
        self.ahead += dt.timedelta(days=1)

    def plan(self, days: int, action: Action) -> None:
        """Do something in a number of days, before that day's logs are collected."""
        self.plans.setdefault(self.today + dt.timedelta(days), []).append(action)

    def upload(self, day: dt.date, share: float = 1.0) -> None:
        """Upload a day's logs to the source, or the first part of them."""
        lines = self._lines(day)
        self._write(day, "events-000.jsonl.gz", lines[: max(1, round(share * len(lines)))])

    def upload_rest(self, day: dt.date, share: float) -> None:
        """Upload what `upload` left out, as a file of its own."""
        lines = self._lines(day)
        self._write(day, "late-000.jsonl.gz", lines[max(1, round(share * len(lines))) :])

    def _lines(self, day: dt.date) -> list[bytes]:
        files = sorted((self.logs / f"dt={day}").iterdir())
        return [line for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]

    def _write(self, day: dt.date, name: str, lines: list[bytes]) -> None:
        self.uploaded.add(day)
        folder = self.installation.source(day)
        folder.mkdir(parents=True, exist_ok=True)
        content = b"".join(line + b"\n" for line in lines)
        (folder / name).write_bytes(gzip.compress(content, mtime=0))

    def run_until_idle(self) -> None:
        """Evaluate the sensors and do what they request until they request nothing.

        Raises:
            AssertionError: they never stop.
        """
        for _ in range(MAX_ROUNDS_PER_DAY):
            requests = [request for name in RESOURCES for request in self.evaluate(name)]
            for request in requests:
                self._run(request)
            if not requests:
                return
        raise AssertionError(f"{self.today}: the sensors still request {requests}")

    def evaluate(self, sensor: str) -> list[dg.RunRequest]:
        """Evaluate a sensor once, as the daemon does, after its longest pause."""
        self.ahead += LOOK_INTERVAL
        defs = self.installation.defs
        repository = defs.get_repository_def()
        resources = {name: (defs.resources or {})[name] for name in RESOURCES[sensor]}
        with dg.build_sensor_context(
            self.instance,
            self._cursors.get(sensor),
            repository_def=repository,
            resources=resources,
        ) as context:
            tick = repository.get_sensor_def(sensor).evaluate_tick(context)
        self._cursors[sensor] = tick.cursor
        return list(tick.run_requests or [])

    def _run(self, request: dg.RunRequest) -> None:
        """Do a run; its failure is for the sensors to find."""
        self.installation.defs.resolve_job_def(str(request.job_name)).execute_in_process(
            partition_key=request.partition_key,
            instance=self.instance,
            tags=dict(request.tags),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )

    def start_run(self, first: dt.date, last: dt.date) -> BaseProcess:
        """Start `ds-assets run` in a process of its own, and wait until its run has started."""
        process = _PROCESSES.Process(target=_run_command, args=[self.home, first, last])
        process.start()
        started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
        while process.is_alive() and not self.instance.get_runs(started, limit=1):
            time.sleep(0.05)
        return process

    def find_unaccounted_days(self) -> list[str]:
        """Find the days that are neither current, nor refused with a verdict, nor missing."""
        installation, records = self.installation, self.records
        game, lake = installation.game, installation.lake
        holes = find_holes(self.today, records.recorded_days(ACTIVITY), lake, game)
        source = FolderLogSource(installation.settings.source, game.logs.path)
        missing = find_missing_days(holes, DayFolders(source, game.logs.path), game)
        excused = records.refused_days().union(missing)
        count = (self.today - game.first_day).days + 1
        days = {game.first_day + dt.timedelta(number) for number in range(count)} - excused
        return [
            f"{day}: {asset} is not current"
            for asset in CURRENT_ASSETS
            for day in sorted(days - records.current_days(asset))
        ]

    def back_up(self) -> None:
        """Keep the results database as it is now."""
        self.backup = (self.home / "results.sqlite").read_bytes()

    def restore(self) -> None:
        """Replace the results database by the kept one."""
        for file in self.home.glob("results.sqlite-*"):
            file.unlink()
        (self.home / "results.sqlite").write_bytes(self.backup)

    def copy_sources(self, home: Path) -> Installation:
        """Another installation with the game file and the source of now, and nothing else."""
        home.mkdir()
        shutil.copy(self.home / "game.yaml", home)
        shutil.copytree(self.installation.settings.source, home / "source")
        return Installation(home)


def _run_command(home: Path, first: dt.date, last: dt.date) -> None:
    """Run the command, as in a process of its own."""
    os.environ |= {"DS_ASSETS_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    os.chdir(home)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    sys.argv = ["ds-assets", "run", str(first), str(last)]
    ds_assets()
