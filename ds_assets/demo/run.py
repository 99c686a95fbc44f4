"""The demo: months of logs through the whole graph, a summary, and the UI.

Scope: which days of which assets are run, in which order. What is reported is `summary`'s.
"""

import datetime as dt
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby, islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from ds_assets.core.day_ranges import list_days, split_into_ranges
from ds_assets.core.game_settings import LIFETIMES
from ds_assets.core.lineage import RAW_LOGS
from ds_assets.definitions import build_defs
from ds_assets.demo.home import prepare_home
from ds_assets.demo.logs import DayRange, DemoLogs
from ds_assets.demo.promotions import add_true_effects, find_offered_users
from ds_assets.demo.servers import private_servers, upload
from ds_assets.infra.labels import find_stored_due_outcomes
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.provenance import Records
from ds_assets.installation import Installation, load_installation
from ds_assets.jobs import OUTCOMES
from ds_assets.progress import Progress, open_progress
from ds_assets.runs import (
    create_dagster_home,
    materialize_days,
    materialize_ranges,
    open_instance,
)
from ds_assets.summary import print_summary, summarize
from ds_assets.ui import HOST, refuse_used_port, serve_ui

FEATURE_DAYS = 120
MODEL_DAYS = 14
EARLIER_WEEKS = 2
"""Earlier weeks with one predicted day each, whose predictions are compared with what happened."""
MAX_DAYS_PER_RUN = 125
"""The progress bar moves after each run."""

MODELS = dg.AssetSelection.groups("models") - dg.AssetSelection.assets("clusters")
"""Trained side by side: they do not depend on each other, and each keeps one core busy."""
DELIVERED = dg.AssetSelection.assets("predictions").downstream() - OUTCOMES


class Step(NamedTuple):
    """Assets that are run for some days before the next step begins."""

    assets: tuple[str, ...]
    days: Sequence[dt.date]


def run_demo(
    home: Path,
    logs: DemoLogs,
    last_day: dt.date | None,
    json_file: Path | None,
    port: int | None,
    *,
    servers: bool,
) -> None:
    """Run the demo.

    Args:
        home: Folder for everything it writes; data of an earlier demo there is used again.
        logs: What it runs on.
        last_day: Last day of a game that has ended; None for logs that end yesterday.
        json_file: File for the numbers of the summary.
        port: Port of the UI; None to stop after the summary.
        servers: Whether to use private servers, whose content is lost afterwards, instead of
            folders and files.

    Raises:
        InputError: a step failed; the message says which.
        Unavailable: a server cannot be used.
    """
    if port is not None:
        refuse_used_port(port)
    if not servers:
        _run(home / logs.folder, logs, last_day, json_file, port)
        if port is None:
            print(f"The Dagster UI: DS_ASSETS_HOME={home / logs.folder} ds-assets ui")  # noqa: T201
        return
    below = home / "services"
    shutil.rmtree(below, ignore_errors=True)  # its state is of servers that are gone
    with (
        tempfile.TemporaryDirectory(prefix="ds_assets_") as folder,
        private_servers(Path(folder), print),
    ):
        _run(below, logs, last_day, json_file, port)


def _run(
    home: Path,
    logs: DemoLogs,
    last_day: dt.date | None,
    json_file: Path | None,
    port: int | None,
) -> None:
    started = time.monotonic()
    days = prepare_home(home, logs, last_day)
    _announce(home, days, port)
    installation = _open_installation(home)
    _run_stages(installation, logs, logs.find_stages(days))
    stored = installation.lake().days("user_activity")
    summary = summarize(installation, time.monotonic() - started, stored)
    add_true_effects(summary, installation)
    print_summary(summary, installation.settings.places())
    if json_file is not None:
        json_file.write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if port is not None:
        serve_ui(port)


def _announce(home: Path, days: DayRange, port: int | None) -> None:
    """Say what follows, and where to look at it."""
    ui = "" if port is None else f", then the Dagster UI at http://{HOST}:{port}"
    print(  # noqa: T201
        f"Logs of {len(list_days(*days))} days, {days[0]} to {days[1]}, go through the whole "
        f"graph, into {home}. A summary follows{ui}.",
        flush=True,
    )


def _open_installation(home: Path) -> Installation:
    """Open the installation of the folder, for this process and its children."""
    os.environ["DAGSTER_HOME"] = str(create_dagster_home(home))
    os.environ["DS_ASSETS_HOME"] = str(home)
    return load_installation({"home": home})


def _run_stages(installation: Installation, logs: DemoLogs, stages: Sequence[DayRange]) -> None:
    """Write the logs of each range of days and run its graph, before the logs of the next one."""
    settings, days = installation.settings, (stages[0][0], stages[-1][1])
    find_offered = partial(find_offered_users, installation=installation)
    writing = logs.write(settings.home, settings.source, stages, find_offered)
    with _open_graph(installation) as graph:
        for stage in stages:
            _write_logs(writing, stage, graph.progress)
            if settings.source_url:
                _upload(installation, stage, graph.progress)
            for step in _plan_stage(days, stage, graph):
                graph.run(step)
        graph.run_outcomes()


def _write_logs(writing: Iterator[dt.date], stage: DayRange, progress: Progress) -> None:
    days = list_days(*stage)
    with progress.tracking("logs of the source", len(days)) as report:
        for number, _ in enumerate(islice(writing, len(days)), start=1):
            report(number)


def _upload(installation: Installation, stage: DayRange, progress: Progress) -> None:
    days = list_days(*stage)
    folders = [day.strftime(installation.game.logs.path) for day in days]
    with progress.tracking("upload to S3", len(days)) as report:
        upload(installation.settings.source, folders, report)


@dataclass(frozen=True)
class _Graph:
    """The graph of the installation, and what it is run with."""

    installation: Installation
    defs: dg.Definitions
    instance: dg.DagsterInstance
    progress: Progress
    trainers: ProcessPoolExecutor
    """A process for each model."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the assets that are models."""
        return _resolve(MODELS, self.defs)

    @property
    def delivered(self) -> tuple[str, ...]:
        """Names of the assets from predictions to what is delivered."""
        return _resolve(DELIVERED, self.defs)

    def run(self, step: Step) -> None:
        """Run a step, for the days that an earlier demo has not made already."""
        ranges = _ranges(_without_current(step, self.installation))
        if ranges and step.assets == self.models:
            self._train_side_by_side(ranges)
        elif ranges:
            selection = dg.AssetSelection.assets(*step.assets)
            materialize_ranges(self.defs, selection, ranges, self.instance, self.progress)

    def run_outcomes(self) -> None:
        """Compare the predictions with what happened, of all days on which it is known."""
        due = find_stored_due_outcomes(_records(self.installation), self.installation.game)
        materialize_ranges(self.defs, OUTCOMES, _ranges(due), self.instance, self.progress)

    def _train_side_by_side(self, ranges: Sequence[DayRange]) -> None:
        days = sum(len(list_days(*it)) for it in ranges)
        with ExitStack() as shown:
            reports = [shown.enter_context(self.progress.tracking(it, days)) for it in self.models]
            trainings = {
                self.trainers.submit(_train, self.installation, name, ranges): report
                for name, report in zip(self.models, reports, strict=True)
            }
            for training in as_completed(trainings):
                training.result()
                trainings[training](days)


@contextmanager
def _open_graph(installation: Installation) -> Iterator[_Graph]:
    defs = build_defs(installation)
    workers = len(_resolve(MODELS, defs))
    with (
        open_instance(installation.settings.home) as instance,
        open_progress() as progress,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as trainers,
    ):
        for _ in range(workers):
            trainers.submit(_import_learners)
        yield _Graph(installation, defs, instance, progress, trainers)


def _resolve(selection: dg.AssetSelection, defs: dg.Definitions) -> tuple[str, ...]:
    keys = selection.resolve(defs.resolve_asset_graph())
    return tuple(sorted(key.to_user_string() for key in keys))


def _plan_stage(days: DayRange, stage: DayRange, graph: _Graph) -> Iterator[Step]:
    """The steps of all days, for those of a stage; steps of the same days become one run."""
    first, last = stage
    of_stage = (
        Step(assets, [day for day in step_days if first <= day <= last])
        for assets, step_days in _plan(*days, graph)
    )
    together = groupby(of_stage, key=lambda step: (step.days, step.assets == graph.models))
    for (step_days, _), steps in together:
        yield Step(tuple(chain.from_iterable(it.assets for it in steps)), step_days)


def _plan(first: dt.date, last: dt.date, graph: _Graph) -> Sequence[Step]:
    """Activity of all days, features of the last months, and models of the last weeks."""
    days = list_days(first, last)
    # A day earlier than two weeks ago, as a closed day does not count in the horizon.
    earlier = [last - dt.timedelta(days=MODEL_DAYS + 1 + 7 * n) for n in range(EARLIER_WEEKS)]
    predicted = sorted({*earlier, *days[-MODEL_DAYS:]}.intersection(days))
    return [
        Step((RAW_LOGS, "user_activity"), days),
        Step((LIFETIMES, "user_features", "cohorts"), days[-FEATURE_DAYS:]),
        Step(("clusters",), predicted),
        Step(graph.models, predicted),
        Step(graph.delivered, predicted),
    ]


def _without_current(step: Step, installation: Installation) -> list[dt.date]:
    """The days of a step that an earlier demo in the same home has not made already.

    Raw logs are made from no other asset, and lifetimes are stored every four weeks only.
    """
    records = _records(installation)
    assets = [it for it in step.assets if it not in {RAW_LOGS, LIFETIMES}]
    current = [records.current_days(it) for it in assets]
    return [day for day in step.days if not all(day in it for it in current)]


def _records(installation: Installation) -> Records:
    return open_records(installation.game, installation.lake())


def _import_learners() -> None:
    """Import what training needs, while the first steps keep only one core busy."""
    import lightgbm  # noqa: F401, PLC0415
    import sklearn.linear_model  # noqa: F401, PLC0415


def _train(installation: Installation, name: str, ranges: Sequence[DayRange]) -> None:
    """Train the models of one target, in a process of its own."""
    defs = build_defs(installation)
    with open_instance(installation.settings.home) as instance:
        for first, last in ranges:
            materialize_days(defs, dg.AssetSelection.assets(name), first, last, instance)


def _ranges(days: Sequence[dt.date]) -> list[DayRange]:
    """Days that follow each other, up to `MAX_DAYS_PER_RUN` together."""
    more = dt.timedelta(days=MAX_DAYS_PER_RUN - 1)
    return [
        (begin, min(begin + more, last))
        for first, last in split_into_ranges(days)
        for begin in list_days(first, last)[::MAX_DAYS_PER_RUN]
    ]
