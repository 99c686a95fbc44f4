"""The last days of a simulated game, from their logs to the cache.

Scope: what the subjects of `bench_day`, `bench_targets`, `bench_growth` and `bench_spark` have in
common: the history that the days are built on, and one run of a day with a game file.
"""

import datetime as dt
from pathlib import Path

import dagster as dg

from benchmarks.child import Start, import_lazy, tell
from benchmarks.graph import LAZY_MODULES, predicted_rows
from benchmarks.subjects.predict_days import FEATURES, LOGS, feature_days
from benchmarks.training_days import last_day
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.targets import custom_targets
from ds_assets.definitions import build_defs
from ds_assets.infra.lake.models import stored_card
from ds_assets.installation import Installation, load_installation
from ds_assets.jobs import DAILY
from ds_assets.runs import RunObserver, materialize_days


def open_game(simulated: Path, home: Path, game: str, **settings: object) -> Installation:
    """An installation that reads a simulated game with one of its game files, and more settings."""
    import_lazy(LAZY_MODULES)
    places = {"home": home, "source": simulated / "source", "game": simulated / game}
    return load_installation(places | settings)


def make_history(installation: Installation, count: int) -> int:
    """Make what the last days are built on: activity before them, and features of snapshots.

    Args:
        installation: The game.
        count: How many last days are measured afterwards.

    Returns:
        The number of snapshots.
    """
    game, defs = installation.game, build_defs(installation)
    measured = [last_day(game) - dt.timedelta(days=back) for back in range(count)]
    snapshots = sorted(feature_days(measured, game) - {*measured})
    with dg.DagsterInstance.ephemeral() as instance:
        day_before = measured[-1] - dt.timedelta(days=1)
        materialize_days(defs, LOGS, game.first_day, day_before, instance)
        for day in snapshots:
            materialize_days(defs, FEATURES, day, day, instance)
    return len(snapshots)


def run_last_day(installation: Installation) -> None:
    """Run the last day, and report its time, rows and models of custom targets."""
    game, lake, last = installation.game, installation.lake(), last_day(installation.game)
    start = run_day(installation, last)
    cards = [stored_card(name, last, ModelCard, lake) for name in custom_targets(game)]
    ready = sum(card is not None and card.state == "ready" for card in cards)
    tell(start, rows=predicted_rows(lake, [last]), models=ready)


def run_day(installation: Installation, day: dt.date, observer: RunObserver | None = None) -> Start:
    """Run a day, and return when that began."""
    defs = build_defs(installation)
    with dg.DagsterInstance.ephemeral() as instance:
        start = Start.now()
        materialize_days(defs, DAILY, day, day, instance, observer)
    return start
