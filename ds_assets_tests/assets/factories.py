"""Installations of a small simulated game, with the graph that runs on them."""

import datetime as dt
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
import yaml
from dagster._core.storage.event_log import in_memory as events_in_memory
from dagster._core.storage.runs import in_memory as runs_in_memory
from filelock import FileLock

from ds_assets import daily_assets, installation
from ds_assets.definitions import build_defs
from ds_assets.game import Game
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.engines.duckdb import DuckDBEngine, open_duckdb
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.runs import materialize_days
from ds_assets.settings import Settings
from ds_assets.simulate import SimulationOptions, SimulationSummary, simulate
from ds_assets.simulate.game_file import game_file
from ds_assets_tests.conftest import HARD_LINKED, finished_home, finished_marker, shared_folder
from ds_assets_tests.infra.results.databases import current_rows

# An instance in memory is never upgraded, but Dagster loads its 89 migrations twice for each one,
# to note the version of its databases, which is a tenth of the time of a small run.
for _storage in (events_in_memory, runs_in_memory):
    pytest.MonkeyPatch().setattr(_storage, "stamp_alembic_rev", lambda *_: None)

START = dt.date(2026, 1, 1)
WHOLE_GRAPH = dg.AssetSelection.all()
QUICK: dict[str, Any] = {
    "windows": [1, 7, 14],
    "clusters": 3,
    "active_days": 10,
    "horizons": {"churn": 5, "payment": 7},
    "events": {
        "activity": ["session_start"],
        "purchases": ["purchase", "gacha_draw"],
        "sessions": ["session_start"],
        "counted": ["stage_clear"],
    },
}
"""A game file with which a month of a few hundred users is enough for both models."""


@dataclass(frozen=True)
class Installation:
    """A home with the logs of a game, and everything that runs on it.

    Attributes:
        home: Its folder.
        overrides: Further settings, by field name.
    """

    home: Path
    overrides: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def installed(self) -> installation.Installation:
        return installation.load_installation({"home": self.home, **self.overrides})

    @property
    def settings(self) -> Settings:
        return self.installed.settings

    @property
    def game(self) -> Game:
        return self.installed.game

    @cached_property
    def defs(self) -> dg.Definitions:
        return build_defs(self.installed)

    @property
    def lake(self) -> FolderLake:
        return FolderLake(self.settings.lake)

    @property
    def engine(self) -> DuckDBEngine:
        return open_duckdb(self.settings.memory_limit_mb, self.settings.threads)

    def results(self) -> ResultsDatabase:
        return self.installed.results()

    def cache(self) -> PredictionCache:
        return self.installed.cache()

    def source(self, day: dt.date) -> Path:
        return self.settings.source / f"dt={day}"

    def write_logs(self, day: dt.date, *lines: str, name: str = "events.jsonl") -> Path:
        """Write a log file of a day; lines are events' JSON, or whatever a test puts there."""
        self.source(day).mkdir(parents=True, exist_ok=True)
        file = self.source(day) / name
        file.unlink(missing_ok=True)  # it may be a hard link, see `copy`
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return file

    def run(
        self,
        first: dt.date,
        last: dt.date | None = None,
        assets: Sequence[str] | dg.AssetSelection = WHOLE_GRAPH,
        instance: dg.DagsterInstance | None = None,
    ) -> list[str]:
        """Materialize days in one run. Returns what it says of days that it left out."""
        if not isinstance(assets, dg.AssetSelection):
            assets = dg.AssetSelection.assets(*assets)
        if instance is not None:
            return materialize_days(self.defs, assets, first, last or first, instance)
        with dg.DagsterInstance.ephemeral() as passing:
            return materialize_days(self.defs, assets, first, last or first, passing)

    def delivered(self) -> dict[dt.date, str]:
        """Checksum of each delivered day."""
        with self.results() as database:
            return {delivery.as_of: delivery.checksum for delivery in database.deliveries()}

    def current(self, user_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        with self.results() as database:
            return {row["user_id"]: row for row in current_rows(database, user_ids)}

    def predictions(self, day: dt.date) -> pa.Table:
        with self.results() as database:
            return database.day(day)

    def copy(self, home: Path) -> "Installation":
        """Copy the installation, for a test that changes it.

        Files of the lake and of the source are hard links: tests replace them, as the lake itself
        does, and never write into them (`conftest.py` fails a run in which one did).
        """
        # Files of servers and connections that other processes open and close meanwhile; what was
        # written to the database is in its own file once its writer has closed it.
        left = shutil.ignore_patterns("*.sock", "*.lock", "*-wal", "*-shm", "temp-*.rdb")

        def link_or_copy(file: str, target: str) -> None:
            is_linked = Path(file).relative_to(self.home).parts[0] in HARD_LINKED
            (os.link if is_linked else shutil.copy2)(file, target)

        shutil.copytree(
            self.home, home, ignore=left, copy_function=link_or_copy, dirs_exist_ok=True
        )
        return Installation(home)


def event(number: int, time: str, user: str = "u1", kind: str = "session_start") -> str:
    """A line of the simulated game's format; equal numbers are one event if the dates are equal."""
    own_id = f"e{number} {time[:10]}"
    return f'{{"id": "{own_id}", "ts": "{time}", "type": "{kind}", "user": {{"id": "{user}"}}}}'


def day(number: int) -> dt.date:
    """A day of the game, the first is 0."""
    return START + dt.timedelta(days=number)


def make_installation(home: Path, **changes: Any) -> Installation:
    """An installation without any logs, of a game of 40 days.

    Args:
        home: Its folder.
        changes: Keys of the game file to replace.
    """
    home.mkdir(parents=True, exist_ok=True)
    text = game_file(SimulationOptions(users=1, days=40, start=START))
    (home / "game.yaml").write_text(text, encoding="utf-8")
    return change_game(Installation(home), QUICK | changes)


def make_played(
    home: Path, game: dict[str, Any] | None = None, **options: Any
) -> tuple[Installation, SimulationSummary]:
    """An installation with the logs of a simulated game.

    Args:
        home: Its folder.
        game: Keys of the game file to replace.
        options: Of the simulation.
    """
    summary = simulate(SimulationOptions(**{"start": START, **options}), home)
    return change_game(Installation(home), QUICK | (game or {})), summary


def change_game(installation: Installation, changes: dict[str, Any]) -> Installation:
    """Replace keys of an installation's game file."""
    file = installation.home / "game.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8")) | changes
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return installation


LAST = day(31)
"""Last day of `finished`."""


@contextmanager
def few_pictures() -> Iterator[None]:
    """Draw only the pictures of the last two days of a run: they cost more than all else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daily_assets, "PICTURED_DAYS", 2)
        yield


@cache
def finished() -> Installation:
    """A month of a small game through the whole graph in one run, made once for all processes.

    Copy it to change it.
    """
    home, marker = finished_home(), finished_marker()
    with FileLock(shared_folder() / "finished.lock"):
        if not marker.exists():
            make_played(home, users=300, days=32, seed=5)
            with few_pictures():
                Installation(home).run(START, LAST)
            marker.touch()
    return Installation(home)
