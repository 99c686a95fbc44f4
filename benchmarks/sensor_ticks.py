"""Evaluations of the sensor over days that are all done.

Scope: what the subjects of `bench_sensor` have in common.
"""

import datetime as dt
import sys
import time
from pathlib import Path

import dagster as dg

from benchmarks.child import Start, import_lazy, tell
from benchmarks.graph import LAZY_MODULES
from ds_assets.core.lineage import RAW_LOGS, lineage_of
from ds_assets.definitions import build_defs
from ds_assets.infra.lake.provenance import recorded, stored_files
from ds_assets.installation import Installation, load_installation
from ds_assets.sensors.cursor import Cursor
from ds_assets.simulate import SimulationOptions
from ds_assets.simulate.game_file import game_file

START = dt.date(2023, 1, 1)
TICKS = 40
"""Enough for the sensor to have looked at every day."""


def main() -> None:
    """Measure the last evaluations: `… DAYS FILES_PER_DAY HOME`."""
    days, files, home = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    import_lazy(LAZY_MODULES)
    installation = _make_home(days, home)
    _store_days([START + dt.timedelta(days=number) for number in range(days)], files, installation)
    start = Start.now()
    cpu, cursor = _evaluate(installation)
    tell(start, cpu=cpu, cursor_bytes=len(cursor))


def _make_home(days: int, home: Path) -> Installation:
    home.mkdir(parents=True)
    text = game_file(SimulationOptions(users=1, days=days, start=START))
    (home / "game.yaml").write_text(text, encoding="utf-8")
    return load_installation({"home": home})


def _store_days(days: list[dt.date], files: int, installation: Installation) -> None:
    """Store something of each asset for each day, as made from what there is."""
    lake, lineages = installation.lake(), lineage_of(installation.game)
    root = installation.settings.lake
    for day in days:
        for number in range(files):
            _write(root / "raw" / f"dt={day}" / f"{number:02}.jsonl")
    for asset in lineages.keys() - {RAW_LOGS}:
        for day in days:
            for name in stored_files(lineages[asset], day):
                _write(root / name)
    for asset in lineages:
        if asset != RAW_LOGS:
            with recorded(asset, days, lineages, lake, "run"):
                pass


def _write(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"content")


def _evaluate(installation: Installation) -> tuple[float, str]:
    """Mean processor time of an evaluation, in seconds, once all days were seen; and the cursor."""
    defs = build_defs(installation)
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def("raw_files")
    resources = {name: (defs.resources or {})[name] for name in ("lake", "results", "cache")}
    # Nothing was delivered, and no server is asked.
    unchecked = Cursor(deliveries_checked=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    cursor = unchecked.model_dump_json(by_alias=True)
    seconds = []
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(TICKS):
            begun = time.process_time()
            with dg.build_sensor_context(
                instance, cursor, repository_def=repository, resources=resources
            ) as context:
                evaluated = sensor.evaluate_tick(context)
            seconds.append(time.process_time() - begun)
            if evaluated.run_requests:
                raise ValueError("the sensor requested a run, though all days are done")
            cursor = evaluated.cursor or ""
    last = seconds[TICKS // 2 :]
    return round(sum(last) / len(last), 4), cursor
