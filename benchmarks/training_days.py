"""The lake that training is measured on: one day of a simulated game.

Scope: what the subjects of `bench_training` have in common.
"""

import datetime as dt
import shutil
from pathlib import Path

import dagster as dg

from benchmarks.child import import_lazy
from benchmarks.graph import LAZY_MODULES
from benchmarks.subjects.predict_days import FEATURES, LOGS, feature_days
from ds_assets.assets import target_model
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.targets import BUILT_IN, targets_of
from ds_assets.definitions import build_defs
from ds_assets.game import Game
from ds_assets.installation import Installation, load_installation
from ds_assets.runs import materialize_days


def open_game(simulated: Path, home: Path) -> Installation:
    """An installation that reads a simulated game; everything is imported."""
    import_lazy((*LAZY_MODULES, "lightgbm"))
    return load_installation(
        {"home": home, "source": simulated / "source", "game": simulated / "game.yaml"}
    )


def last_day(game: Game) -> dt.date:
    """The last day of a simulated game, which is measured."""
    if game.last_day is None:
        raise ValueError("the game file names no last_day; a simulated game's does")
    return game.last_day


def make_inputs(installation: Installation) -> None:
    """Make everything that models of the last two days are made from."""
    game, defs = installation.game, build_defs(installation)
    last = last_day(game)
    days = feature_days([last - dt.timedelta(days=1), last], game)
    with dg.DagsterInstance.ephemeral() as instance:
        materialize_days(defs, LOGS, game.first_day, last, instance)
        for day in sorted(days):
            materialize_days(defs, FEATURES, day, day, instance)


def train_all(installation: Installation, day: dt.date) -> dict[str, ModelCard]:
    """Train the built-in targets of a day, as their assets do."""
    game, lake, engine = installation.game, installation.lake(), installation.engine()
    return {
        target.name: target_model.update(targets_of(game)[target.name], [day], lake, engine, game)[
            day
        ]
        for target in BUILT_IN
    }


def forget_models(home: Path) -> None:
    """Remove the models of all days, so that the next day has none before it."""
    for target in BUILT_IN:
        shutil.rmtree(home / "lake" / "models" / target.name, ignore_errors=True)
