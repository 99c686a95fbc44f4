"""The last day of a simulated game, from its logs to the cache.

Scope: what the subjects of `bench_targets` and `bench_growth` have in common: the history that they
are built on, and one run of the day with a game file.
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
from ds_assets.runs import materialize_days


def open_game(simulated: Path, home: Path, game: str) -> Installation:
    """An installation that reads a simulated game with one of its game files."""
    import_lazy(LAZY_MODULES)
    return load_installation(
        {"home": home, "source": simulated / "source", "game": simulated / game}
    )


def make_history(installation: Installation, last_read: dt.date) -> int:
    """Make the activity up to a day, and the features that the last day's models are trained on."""
    game, defs = installation.game, build_defs(installation)
    last = last_day(game)
    days = sorted(feature_days([last], game) - {last})
    with dg.DagsterInstance.ephemeral() as instance:
        materialize_days(defs, LOGS, game.first_day, last_read, instance)
        for day in days:
            materialize_days(defs, FEATURES, day, day, instance)
    return len(days)


def run_day(installation: Installation) -> None:
    """Run the last day, and report its time, rows and models of custom targets."""
    game, lake, defs = installation.game, installation.lake(), build_defs(installation)
    last = last_day(game)
    with dg.DagsterInstance.ephemeral() as instance:
        start = Start.now()
        materialize_days(defs, DAILY, last, last, instance)
        cards = [stored_card(name, last, ModelCard, lake) for name in custom_targets(game)]
        ready = sum(card is not None and card.state == "ready" for card in cards)
        tell(start, rows=predicted_rows(lake, [last]), models=ready)
