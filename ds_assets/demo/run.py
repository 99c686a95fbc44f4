"""The demo: a year of real logs through the whole graph, a summary, and the UI.

Belongs here: the order of the demo. What is computed is the graph's, what is said is `summary`'s.
"""

import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeAlias

import dagster as dg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ds_assets.definitions import build_defs
from ds_assets.demo.servers import private_servers, upload
from ds_assets.demo.source import GAME_FILE, write_source
from ds_assets.demo.summary import print_summary, summarize
from ds_assets.errors import InputError
from ds_assets.installation import Installation, load_installation
from ds_assets.runs import materialize_days

FEATURE_DAYS = 120
MODEL_DAYS = 14
EARLIER_WEEKS = 2
"""Weeks before, of which one day each is predicted, to be compared with what happened since."""
RUN_DAYS = 125
"""Days of one run: the bar moves after each."""

MODELS = dg.AssetSelection.groups("models") - dg.AssetSelection.assets("clusters")
"""Made side by side: they need nothing of each other, and each keeps one core busy."""
Stretches: TypeAlias = list[tuple[dt.date, dt.date]]
"""First and last days."""

_PROJECT = Path(__file__).parents[2]

_COLUMNS = (
    TextColumn("{task.description:<26}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("days"),
    TimeElapsedColumn(),
)


def run_demo(home: Path, json_file: Path | None, port: int | None, *, servers: bool) -> None:
    """Run the demo.

    Args:
        home: Folder for everything that it makes; what an earlier demo left there is used again.
        json_file: Where to write the summary's numbers as well.
        port: Port of the UI; None to stop after the summary.
        servers: Whether to run on private servers, whose content is gone afterwards, in place of
            folders and files.

    Raises:
        InputError: a part of it failed; the message says which.
    """
    if not servers:
        _run(home, json_file, port)
        return
    below = home / "services"
    shutil.rmtree(below, ignore_errors=True)  # what it knows of went with its servers
    with (
        tempfile.TemporaryDirectory(prefix="ds_assets_") as folder,
        private_servers(Path(folder), print),
    ):
        _run(below, json_file, port)


def _run(home: Path, json_file: Path | None, port: int | None) -> None:
    started = time.monotonic()
    installation = _prepare(home)
    with dg.DagsterInstance.get() as instance:
        _run_steps(installation, instance)
    summary = summarize(installation, time.monotonic() - started)
    print_summary(summary, installation.settings.places())
    if json_file is not None:
        json_file.write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if port is not None:
        _serve(port)


def _prepare(home: Path) -> Installation:
    """Make the folder an installation of its own, for this process and those it starts."""
    instance = home / "dagster"
    instance.mkdir(parents=True, exist_ok=True)
    shutil.copy(_PROJECT / "dagster.yaml", instance)
    shutil.copy(GAME_FILE, home / "game.yaml")
    os.environ["DAGSTER_HOME"] = str(instance)
    os.environ["DS_ASSETS_HOME"] = str(home)
    return load_installation({"home": home})


def _run_steps(installation: Installation, instance: dg.DagsterInstance) -> None:
    settings, game, defs = installation.settings, installation.game, build_defs(installation)
    last = game.last_day or game.first_day
    first_features = last - dt.timedelta(days=FEATURE_DAYS - 1)
    first_models = last - dt.timedelta(days=MODEL_DAYS - 1)
    earlier = [first_models - dt.timedelta(days=7 * n + 1) for n in reversed(range(EARLIER_WEEKS))]
    predicted = [*zip(earlier, earlier, strict=True), *_stretches(first_models, last)]
    models = tuple(sorted(k.to_user_string() for k in MODELS.resolve(defs.resolve_asset_graph())))
    steps: list[tuple[tuple[str, ...], Stretches]] = [
        (("raw_logs", "user_activity"), _stretches(game.first_day, last)),
        (("user_features",), _stretches(first_features, last)),
        (("clusters",), predicted),
        (models, predicted),
        (("predictions",), predicted),
        (("cluster_profiles",), predicted),
        (("rds_results",), predicted),
        (("prediction_cache",), predicted),
        (("prediction_outcomes",), [*zip(earlier, earlier, strict=True)]),
    ]
    with Progress(*_COLUMNS) as progress:
        task = progress.add_task("logs of the source", total=(last - game.first_day).days + 1)
        write_source(settings.source, lambda done: progress.update(task, completed=done))
        if settings.source_url:
            task = progress.add_task("upload to S3", total=(last - game.first_day).days + 1)
            upload(settings.source, lambda done: progress.update(task, completed=done))
        for assets, stretches in steps:
            days = sum((end - start).days + 1 for start, end in stretches)
            task = progress.add_task(", ".join(assets), total=days)
            if assets == models:
                _train_side_by_side(installation, models, stretches)
                progress.advance(task, days)
                continue
            for start, end in stretches:
                materialize_days(defs, dg.AssetSelection.assets(*assets), start, end, instance)
                progress.advance(task, (end - start).days + 1)


def _train_side_by_side(
    installation: Installation, models: Sequence[str], stretches: Stretches
) -> None:
    with ProcessPoolExecutor(len(models), mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_train, installation, name, stretches) for name in models]:
            done.result()


def _train(installation: Installation, name: str, stretches: Stretches) -> None:
    """Make the models of one target, in a process that has nothing yet."""
    defs = build_defs(installation)
    with dg.DagsterInstance.get() as instance:
        for start, end in stretches:
            materialize_days(defs, dg.AssetSelection.assets(name), start, end, instance)


def _stretches(first: dt.date, last: dt.date) -> Stretches:
    starts = range(0, (last - first).days + 1, RUN_DAYS)
    days = (first + dt.timedelta(days=n) for n in starts)
    return [(day, min(day + dt.timedelta(days=RUN_DAYS - 1), last)) for day in days]


def start_ui(port: int) -> subprocess.Popen[bytes]:
    """Start the Dagster UI, with its daemon, on what the environment describes."""
    dg_command = Path(sys.executable).with_name("dg")
    command = [str(dg_command), "dev", "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen([*command, "--log-level", "warning"], cwd=_PROJECT)  # noqa: S603  (fixed)


def _serve(port: int) -> None:
    print(f"\nThe Dagster UI will be at http://127.0.0.1:{port}, until Ctrl-C.", flush=True)  # noqa: T201
    ui = start_ui(port)
    try:
        code = ui.wait()
    except KeyboardInterrupt:
        ui.wait()
        return
    raise InputError(f"the UI ended with code {code}; is port {port} taken?")
