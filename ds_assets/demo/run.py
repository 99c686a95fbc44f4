"""The demo: a year of real logs through the whole graph, a summary, and the UI.

Scope: which days of which assets are run, in which order. What is reported is `summary`'s.
"""

import datetime as dt
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeAlias

import dagster as dg

from ds_assets.definitions import build_defs
from ds_assets.demo.servers import private_servers, upload
from ds_assets.demo.source import GAME_FILE, write_source
from ds_assets.game import Game
from ds_assets.installation import Installation, load_installation
from ds_assets.progress import Progress, open_progress
from ds_assets.runs import create_dagster_home, materialize_days, materialize_ranges
from ds_assets.summary import print_summary, summarize
from ds_assets.ui import serve_ui

FEATURE_DAYS = 120
MODEL_DAYS = 14
EARLIER_WEEKS = 2
"""Earlier weeks with one predicted day each, whose predictions are compared with what happened."""
MAX_DAYS_PER_RUN = 125
"""The progress bar moves after each run."""

MODELS = dg.AssetSelection.groups("models") - dg.AssetSelection.assets("clusters")
"""Trained side by side: they do not depend on each other, and each keeps one core busy."""
DayRanges: TypeAlias = list[tuple[dt.date, dt.date]]
"""First and last days."""


class Step(NamedTuple):
    """Assets that are run for some days before the next step begins."""

    assets: tuple[str, ...]
    ranges: DayRanges

    @property
    def days(self) -> int:
        """Number of days."""
        return sum((last - first).days + 1 for first, last in self.ranges)


def run_demo(home: Path, json_file: Path | None, port: int | None, *, servers: bool) -> None:
    """Run the demo.

    Args:
        home: Folder for everything it writes; data of an earlier demo there is used again.
        json_file: File for the numbers of the summary.
        port: Port of the UI; None to stop after the summary.
        servers: Whether to use private servers, whose content is lost afterwards, instead of
            folders and files.

    Raises:
        InputError: a step failed; the message says which.
        Unavailable: a server cannot be used.
    """
    if not servers:
        _run(home, json_file, port)
        return
    below = home / "services"
    shutil.rmtree(below, ignore_errors=True)  # its state is of servers that are gone
    with (
        tempfile.TemporaryDirectory(prefix="ds_assets_") as folder,
        private_servers(Path(folder), print),
    ):
        _run(below, json_file, port)


def _run(home: Path, json_file: Path | None, port: int | None) -> None:
    started = time.monotonic()
    installation = _prepare(home)
    with dg.DagsterInstance.get() as instance, open_progress() as progress:
        _write_logs(installation, progress)
        _run_graph(installation, instance, progress)
    days = installation.lake().days("user_activity")
    summary = summarize(installation, time.monotonic() - started, days)
    print_summary(summary, installation.settings.places())
    if json_file is not None:
        json_file.write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if port is not None:
        serve_ui(port)


def _prepare(home: Path) -> Installation:
    """Make the folder an installation of its own, for this process and its children."""
    os.environ["DAGSTER_HOME"] = str(create_dagster_home(home))
    shutil.copy(GAME_FILE, home / "game.yaml")
    os.environ["DS_ASSETS_HOME"] = str(home)
    return load_installation({"home": home})


def _write_logs(installation: Installation, progress: Progress) -> None:
    settings, (first, last) = installation.settings, _game_days(installation.game)
    days = (last - first).days + 1
    with progress.tracking("logs of the source", days) as report:
        write_source(settings.source, report)
    if settings.source_url:
        with progress.tracking("upload to S3", days) as report:
            upload(settings.source, report)


def _run_graph(
    installation: Installation, instance: dg.DagsterInstance, progress: Progress
) -> None:
    defs = build_defs(installation)
    keys = MODELS.resolve(defs.resolve_asset_graph())
    models = tuple(sorted(key.to_user_string() for key in keys))
    for step in _plan(installation.game, models):
        if step.assets == models:
            _train_side_by_side(installation, step, progress)
        else:
            selection = dg.AssetSelection.assets(*step.assets)
            materialize_ranges(defs, selection, step.ranges, instance, progress)


def _plan(game: Game, models: tuple[str, ...]) -> Sequence[Step]:
    """Activity of all days, features of the last months, and models of the last weeks."""
    first, last = _game_days(game)
    first_features = last - dt.timedelta(days=FEATURE_DAYS - 1)
    first_models = last - dt.timedelta(days=MODEL_DAYS - 1)
    days = [first_models - dt.timedelta(days=7 * n + 1) for n in reversed(range(EARLIER_WEEKS))]
    earlier = [(day, day) for day in days]
    predicted = [*earlier, *_ranges(first_models, last)]
    return [
        Step(("raw_logs", "user_activity"), _ranges(first, last)),
        Step(("user_lifetimes", "user_features", "cohorts"), _ranges(first_features, last)),
        Step(("clusters",), predicted),
        Step(models, predicted),
        Step(("predictions",), predicted),
        Step(("cluster_profiles",), predicted),
        Step(("rds_results",), predicted),
        Step(("prediction_cache",), predicted),
        Step(("prediction_outcomes",), earlier),
    ]


def _game_days(game: Game) -> tuple[dt.date, dt.date]:
    return game.first_day, game.last_day or game.first_day


def _train_side_by_side(installation: Installation, step: Step, progress: Progress) -> None:
    with (
        ProcessPoolExecutor(len(step.assets), mp_context=get_context("spawn")) as pool,
        ExitStack() as shown,
    ):
        reports = [shown.enter_context(progress.tracking(it, step.days)) for it in step.assets]
        trainings = {
            pool.submit(_train, installation, name, step.ranges): report
            for name, report in zip(step.assets, reports, strict=True)
        }
        for training in as_completed(trainings):
            training.result()
            trainings[training](step.days)


def _train(installation: Installation, name: str, ranges: DayRanges) -> None:
    """Train the models of one target, in a process of its own."""
    defs = build_defs(installation)
    with dg.DagsterInstance.get() as instance:
        for first, last in ranges:
            materialize_days(defs, dg.AssetSelection.assets(name), first, last, instance)


def _ranges(first: dt.date, last: dt.date) -> DayRanges:
    starts = range(0, (last - first).days + 1, MAX_DAYS_PER_RUN)
    days = (first + dt.timedelta(days=n) for n in starts)
    return [(day, min(day + dt.timedelta(days=MAX_DAYS_PER_RUN - 1), last)) for day in days]
