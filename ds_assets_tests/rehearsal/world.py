"""An installation in operation: its source, its sensors, its runs, and the time that passes.

Scope: one day after another. What goes wrong is in `events.py`.

Nothing of the software is replaced, only the time of the processes that run it. The game is played
in the future, so that files, which have the real time, are never younger than the present.
"""

import datetime as dt
import gzip
import multiprocessing
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import time_machine
from time_machine import Traveller

from ds_assets.cli.main import main as ds_assets
from ds_assets.core.arrivals import RETRY_AFTER
from ds_assets.core.game_settings import ACTIVITY, LIFETIMES
from ds_assets.core.lifetimes import find_roll_ups
from ds_assets.core.lineage import EFFECT_MODELS, RAW_LOGS, lineage_of
from ds_assets.core.promotion_days import effects_learnt_on
from ds_assets.core.tables import PREDICTION_OUTCOMES, PROMOTION_RESULTS
from ds_assets.infra.labels import find_stored_due_outcomes
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.missing_days import find_holes, find_missing_days
from ds_assets.sensors.log_source import LOOK_INTERVAL
from ds_assets.settings import PREFIX
from ds_assets_tests.assets.factories import Installation
from ds_assets_tests.rehearsal.dagster_storage import open_instance
from ds_assets_tests.rehearsal.servers import Servers

RESOURCES = {"log_source": ("lake", "log_source"), "raw_files": ("lake", "results", "cache")}
"""The sensors, in the order in which they are evaluated, and the resources of each."""
MAX_ROUNDS_PER_DAY = 40

# A killed run is a process of its own, forked from one that has only imported what it needs.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["ds_assets.definitions", "ds_assets.cli.main"])

Action = Callable[[], None]


@dataclass
class World:
    """The installation, and what is planned for it.

    Attributes:
        home: Its folder.
        servers: Its results database, its cache, and who receives its offers.
        logs: Folder with all logs of the game, from which days are uploaded.
        chance: Where all random choices come from.
        say: Receives a line for each thing that happens.
        time: The time of this process.
        today: The day whose logs are due, which is the day before the present one.
        accepted: Days that the operator let pass with their few events.
        withdrawn: Days that the operator refused after they were delivered.
        facts: Checksums of what was assigned and stored of changes, by name.
        uploaded: Days that were uploaded, at least in part.
        plans: What happens on later days.
    """

    home: Path
    servers: Servers
    logs: Path
    chance: random.Random
    say: Callable[[str], None]
    time: Traveller
    today: dt.date
    accepted: set[dt.date] = field(default_factory=set)
    withdrawn: set[dt.date] = field(default_factory=set)
    facts: dict[str, str] = field(default_factory=dict)
    uploaded: set[dt.date] = field(default_factory=set)
    plans: dict[dt.date, list[Action]] = field(default_factory=dict)
    _cursors: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reload()
        self.instance = open_instance(self.home)

    def reload(self) -> None:
        """Load the game file again, as a restarted code location does."""
        self.installation = Installation(self.home, self.servers.settings)

    @property
    def records(self) -> Records:
        """What is stored, and from what it was made."""
        return open_records(self.installation.game, self.installation.lake)

    def begin_day(self) -> None:
        """Let time pass until the logs of the next day are due."""
        self.today += dt.timedelta(days=1)
        due = due_time(self.today, self.installation)
        assert due > dt.datetime.now(dt.UTC), "the day before is not over yet"
        self.time.move_to(due)

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
        is_idle = False
        for _ in range(MAX_ROUNDS_PER_DAY):
            requests = [request for name in RESOURCES for request in self.evaluate(name)]
            for request in requests:
                self._run(request)
            if is_idle and not requests:
                return
            is_idle = not requests
            if is_idle:
                self.time.shift(max(RETRY_AFTER))
        raise AssertionError(f"{self.today}: the sensors still request {requests}")

    def evaluate(self, sensor: str) -> list[dg.RunRequest]:
        """Evaluate a sensor once, as the daemon does, when its pauses between looks are over."""
        self.time.shift(LOOK_INTERVAL)
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
        settings = {"home": str(self.home), **self.servers.settings}
        process = _PROCESSES.Process(
            target=_run_command, args=[settings, dt.datetime.now(dt.UTC), first, last]
        )
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
        source = FolderLogSource(installation.settings.source, game.log_path)
        missing = find_missing_days(holes, DayFolders(source), game)
        excused = records.refused_days().union(missing)
        count = (self.today - game.first_day).days + 1
        days = {game.first_day + dt.timedelta(number) for number in range(count)} - excused
        outcomes = {PREDICTION_OUTCOMES.name, PROMOTION_RESULTS.name}
        others = {RAW_LOGS, LIFETIMES, EFFECT_MODELS, *outcomes}
        daily = [it for it in lineage_of(game) if it not in others]
        outdated = {asset: days - records.current_days(asset) for asset in daily}
        roll_ups = find_roll_ups(min(records.usable_days(ACTIVITY)), max(days))
        outdated[LIFETIMES] = set(roll_ups) - records.current_days(LIFETIMES)
        sundays = {it for it in map(effects_learnt_on, days) if it >= game.first_day}
        outdated[EFFECT_MODELS] = sundays - records.current_days(EFFECT_MODELS)
        outdated[PREDICTION_OUTCOMES.name] = set(find_stored_due_outcomes(records, game))
        return [
            f"{day}: {asset} is not current"
            for asset in outdated
            for day in sorted(outdated[asset])
        ]

    def copy_sources(self, home: Path) -> Installation:
        """Another installation with the game file and the source of now, and nothing else."""
        home.mkdir()
        shutil.copy(self.home / "game.yaml", home)
        shutil.copytree(self.installation.settings.source, home / "source")
        return Installation(home)


def due_time(day: dt.date, installation: Installation) -> dt.datetime:
    """When the logs of a day are due."""
    hour = dt.time(
        installation.settings.schedule_hour, tzinfo=ZoneInfo(installation.game.time_zone)
    )
    return dt.datetime.combine(day + dt.timedelta(days=1), hour)


def _run_command(
    settings: Mapping[str, str], now: dt.datetime, first: dt.date, last: dt.date
) -> None:
    """Run the command, as in a process of its own."""
    home = Path(settings["home"])
    os.environ |= {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
    os.environ["DAGSTER_HOME"] = str(home / "dagster")
    os.chdir(home)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    sys.argv = ["ds-assets", "run", str(first), str(last)]
    with time_machine.travel(now):
        ds_assets()
