"""A randomised experiment with an offer in a simulated game, whose effect on each user is known.

Scope: users' features at the end of a day, who got the offer, what they did in the horizon after
it, and the truth about both.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from benchmarks.validation import Flags, Floats, Judge
from ds_assets.definitions import build_defs
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.installation import load_installation
from ds_assets.runs import materialize_days
from ds_assets.simulate import OfferKind, SimulationOptions, simulate
from ds_assets.simulate.events import PRICES, Events, EventType, Ints
from ds_assets.simulate.game_file import ACTIVE_DAYS, HORIZON_DAYS
from ds_assets.simulate.lines import user_ids
from ds_assets.simulate.play import SimulatedGame
from ds_assets.simulate.responses import Offers, offers_to_all
from ds_assets.simulate.truth import Effects, Oracle
from ds_assets.simulate.world import World, build_world

_LOGS = dg.AssetSelection.assets("raw_logs", "user_activity")
_FEATURES = dg.AssetSelection.assets("user_lifetimes", "user_features")


@dataclass(frozen=True)
class Outcomes:
    """What the users did in the horizon, an array of shape (users,) each."""

    churned: Flags
    paid: Flags
    spend: Floats
    """In US dollars."""


@dataclass(frozen=True)
class Truth:
    """What is probable without an offer, and what it changes, an array of shape (users,) each."""

    churn: Floats
    """P(no activity in the horizon) without the offer: the risk."""
    payment: Floats
    """P(at least one purchase in the horizon) without the offer."""
    effects: Effects
    """What the offer changes; the response type of each user is known."""
    learnable: Effects
    """What it changes on average for users alike in all but their response type: the most that a
    model can learn from an experiment."""


@dataclass(frozen=True)
class OfferExperiment:
    """Active users at the end of a day, ascending by id, and what an offer did."""

    covariates: pd.DataFrame
    """Their rows of `user_features`, with `user_id`."""
    treated: Flags
    """Users with the offer in effect in the horizon, shape (users,)."""
    outcomes: Outcomes
    truth: Truth


def run_experiment(
    options: SimulationOptions, kind: OfferKind, folder: Path, share: float = 0.5
) -> OfferExperiment:
    """Simulate a game, and give a random half of its active users an offer for one horizon.

    Args:
        options: The game, whose last day is the one before the offer; its logs have no mess.
        kind: The kind of offer.
        folder: Empty folder for logs and features.
        share: Probability of getting the offer.
    """
    covariates = _make_features(options, folder)
    world = build_world(options)
    game, oracle = _play(world, options)
    users = _find_numbers(covariates["user_id"], world)
    treated = np.random.default_rng(options.seed).random(world.users) < share
    outcomes = _play_horizon(game, world, options.days, _offer(kind, treated), users)
    truth = _find_truth(oracle, offers_to_all(kind, world.users), users)
    return OfferExperiment(covariates, treated[users], outcomes, truth)


def find_truth(options: SimulationOptions, kind: OfferKind) -> Truth:
    """Find the truth about the active users at the end of a game's last day."""
    world = build_world(options)
    _, oracle = _play(world, options)
    return _find_truth(oracle, offers_to_all(kind, world.users), oracle.active_users())


def _play(world: World, options: SimulationOptions) -> tuple[SimulatedGame, Oracle]:
    """Play all days of a game without offers."""
    game, oracle = SimulatedGame(world, options.seed), Oracle(world, HORIZON_DAYS, ACTIVE_DAYS)
    for day in range(options.days):
        players, _ = game.play(day, oracle.next_law())
        oracle.observe(players)
    return game, oracle


def _make_features(options: SimulationOptions, folder: Path) -> pd.DataFrame:
    """The features of the last day, made from the game's logs by the graph."""
    simulate(options, folder)
    home = folder / "home"
    home.mkdir()
    installation = load_installation(
        {"home": home, "source": folder / "source", "game": folder / "game.yaml"}
    )
    defs, last = build_defs(installation), options.start + dt.timedelta(options.days - 1)
    with dg.DagsterInstance.ephemeral() as instance:
        materialize_days(defs, _LOGS, options.start, last, instance)
        materialize_days(defs, _FEATURES, last, last, instance)
    return Judge(FolderLake(home / "lake"), installation.game).features(last)


def _find_numbers(ids: pd.Series, world: World) -> Ints:
    return np.asarray(pd.Index(user_ids(world.users).to_pylist()).get_indexer(ids))


def _offer(kind: OfferKind, users: Flags) -> Offers:
    nobody = np.zeros_like(users)
    return Offers(*(users if kind is it else nobody for it in OfferKind))


def _find_truth(oracle: Oracle, offers: Offers, users: Ints) -> Truth:
    return Truth(
        churn=oracle.churn()[users],
        payment=oracle.payment()[users],
        effects=Effects(*(effect[users] for effect in oracle.effects(offers))),
        learnable=Effects(*(effect[users] for effect in oracle.expected_effects(offers))),
    )


def _play_horizon(
    game: SimulatedGame, world: World, first: int, offers: Offers, users: Ints
) -> Outcomes:
    played, spend = np.zeros(world.users, dtype=bool), np.zeros(world.users)
    for day in range(first, first + HORIZON_DAYS):
        players, events = game.play(day, world.law(day), offers)
        played[players] = True
        spend += _sum_spend(events, world.users)
    return Outcomes(churned=~played[users], paid=spend[users] > 0, spend=spend[users])


def _sum_spend(events: Events, users: int) -> Floats:
    purchases = events[events["type"] == EventType.PURCHASE]
    amounts = np.array(PRICES)[purchases["detail"]]
    return np.asarray(np.bincount(purchases["user"], amounts, users), dtype=np.float64)
