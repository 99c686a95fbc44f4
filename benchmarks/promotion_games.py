"""Games with a promotion, for measuring the measurement: many, cheap, and with a known effect.

Scope: players of one simulated game with what was predicted of them, and games that draw from them.

The players, what they did in the horizon and the best predictions of it are those of the simulator
and its oracle. A model is not as good as the oracle: noise is added to the oracle's log odds until
the predictions have the share of the best AUC that our models reached on simulated players
(`results/quality_simulated.json`). So how much a prediction explains is measured, not chosen.
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.validation import Flags, Floats, share_of_best
from ds_assets.core.promotions.assignment import CONTROL, TREATED
from ds_assets.core.promotions.effects import Moments, moments_of
from ds_assets.core.promotions.moments import Cell
from ds_assets.core.promotions.waves import Day, Terms
from ds_assets.simulate import OfferKind, SimulationOptions
from ds_assets.simulate.events import PRICES, EventType
from ds_assets.simulate.game_file import ACTIVE_DAYS, HORIZON_DAYS
from ds_assets.simulate.play import SimulatedGame
from ds_assets.simulate.responses import Offers
from ds_assets.simulate.truth import Oracle
from ds_assets.simulate.world import World, build_world

USERS, DAYS_BEFORE = 60_000, 37
FIRST = dt.date(2026, 1, 1)
_QUALITY = Path(__file__).parent / "results" / "quality_simulated.json"


@dataclass(frozen=True)
class Players:
    """Active players at the end of a day, an array of shape (players,) each.

    Attributes:
        risk: Chance of churn as a model predicts it.
        expected_spend: Spend as a model predicts it.
        churned: Whether they were not active in the horizon.
        spend: What they spent in it, in US dollars.
        offer_effect: What a retention offer changes of their chance of churn; the truth.
    """

    risk: Floats
    expected_spend: Floats
    churned: Flags
    spend: Floats
    offer_effect: Floats

    def at_risk(self, above: float) -> "Players":
        """Those with a predicted chance of churn above a limit."""
        chosen = self.risk > above
        return Players(*(values[chosen] for values in vars(self).values()))


@dataclass(frozen=True)
class Promotion:
    """A promotion with a known effect.

    Attributes:
        players_per_day: Mean number of players that qualify for the first time on a day.
        days: Days of assignments.
        control: Share of control.
        detects: Smallest difference of churn to detect.
        keeps: Share of those who would churn that the promotion keeps.
        raises: How much more treated players spend, as a share.
    """

    players_per_day: int = 700
    days: int = 60
    control: float = 0.1
    detects: float = 0.02
    keeps: float = 0.0
    raises: float = 0.0

    @property
    def terms(self) -> Terms:
        """What is fixed before any outcome."""
        return Terms("churn", self.detects, {TREATED: 1 - self.control, CONTROL: self.control})


def simulate_players(seed: int = 1) -> Players:
    """Simulate a game, and what its active players do in the horizon."""
    world = build_world(SimulationOptions(users=USERS, days=DAYS_BEFORE + HORIZON_DAYS, seed=seed))
    game, oracle = SimulatedGame(world, seed), Oracle(world, HORIZON_DAYS, ACTIVE_DAYS)
    for day in range(DAYS_BEFORE):
        players, _ = game.play(day, oracle.next_law())
        oracle.observe(players)
    active = oracle.active_users()
    best_risk, best_spend = oracle.churn()[active], oracle.spend()[active]
    effect = oracle.effects(_retention_offers(world)).churn[active]
    churned, spend = _play_horizon(game, world)
    churned, spend = churned[active], spend[active]
    rng = np.random.default_rng(seed)
    noise = _find_noise(best_risk, churned, rng)
    odds = np.log(best_risk / (1 - best_risk)) + rng.normal(0, noise, len(active))
    expected = best_spend * rng.lognormal(0, noise, len(active))
    return Players(1 / (1 + np.exp(-odds)), expected, churned, spend, effect)


def draw_days(players: Players, promotion: Promotion, rng: np.random.Generator) -> Iterator[Day]:
    """Draw the players of each day, assign arms, and apply the promotion to those treated."""
    sizes = rng.poisson(promotion.players_per_day, promotion.days)
    drawn = rng.integers(0, len(players.risk), sizes.sum())
    control = rng.random(len(drawn)) < promotion.control
    churned = players.churned[drawn] & (control | (rng.random(len(drawn)) >= promotion.keeps))
    spend = players.spend[drawn] * np.where(control, 1.0, 1 + promotion.raises)
    place = 2 * np.repeat(np.arange(promotion.days), sizes) + control
    outcomes = {
        "churn": _moments(churned.astype(float), players.risk[drawn], place, 2 * promotion.days),
        "spend": _moments(spend, players.expected_spend[drawn], place, 2 * promotion.days),
    }
    for number in range(promotion.days):
        cells = {
            Cell("all", arm, outcome): by_place[2 * number + (arm == CONTROL)]
            for outcome, by_place in outcomes.items()
            for arm in (TREATED, CONTROL)
        }
        yield Day(FIRST + dt.timedelta(days=number), promotion.terms, cells)


def without_covariates(day: Day) -> Day:
    """The day as it would be without predictions."""
    cells = {cell: _plain(moments) for cell, moments in day.cells.items()}
    return replace(day, cells=cells)


def _plain(moments: Moments) -> Moments:
    return moments_of(moments.count(), moments.mean("value"), moments.var("value"))


def _moments(y: Floats, x: Floats, place: np.ndarray, places: int) -> list[Moments]:
    """Moments of an outcome and its covariate in each place; every place has two players."""
    count = np.bincount(place, minlength=places)
    mean_y, mean_x = (np.bincount(place, it, places) / count for it in (y, x))
    dy, dx = y - mean_y[place], x - mean_x[place]
    yy, xx, xy = (
        np.bincount(place, it, places) / (count - 1) for it in (dy * dy, dx * dx, dx * dy)
    )
    columns = (count, mean_y, yy, mean_x, xx, xy)
    return [moments_of(int(n), *map(float, row)) for n, *row in zip(*columns, strict=True)]


def _find_noise(best: Floats, churned: Flags, rng: np.random.Generator) -> float:
    """The noise with which predictions of churn are as good as those of our models."""
    rows = json.loads(_QUALITY.read_text(encoding="utf-8"))["rows"]
    shares = [
        row["value"]
        for row in rows
        if row["name"].startswith("simulated, churn") and row["name"].endswith("best AUC")
    ]
    odds, draws = np.log(best / (1 - best)), rng.normal(size=len(best))
    levels = np.arange(0.0, 3.0, 0.02)
    return next(
        float(level)
        for level in levels
        if share_of_best(churned, odds + level * draws, best) <= min(shares)
    )


def _retention_offers(world: World) -> Offers:
    everyone, nobody = np.ones(world.users, dtype=bool), np.zeros(world.users, dtype=bool)
    return Offers(*(everyone if kind is OfferKind.RETENTION else nobody for kind in OfferKind))


def _play_horizon(game: SimulatedGame, world: World) -> tuple[Flags, Floats]:
    """Whether each account was not active in the horizon, and what it spent."""
    played, spend = np.zeros(world.users, dtype=bool), np.zeros(world.users)
    for day in range(DAYS_BEFORE, DAYS_BEFORE + HORIZON_DAYS):
        players, events = game.play(day, world.law(day))
        played[players] = True
        bought = events[events["type"] == EventType.PURCHASE]
        spend += np.bincount(bought["user"], np.array(PRICES)[bought["detail"]], world.users)
    return ~played, spend
