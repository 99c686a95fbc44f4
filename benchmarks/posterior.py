"""The best that can be predicted of a simulated game's users from what they did.

The oracle of the simulator knows each user's hidden parameters. Logs only tell them by and by: how
readily a user leaves is seen once, when it has happened. So even a model that knows the rules of
the game stays below the oracle. Here is that model: Bayes' rule over a grid of the hidden
parameters, given each user's active days, sessions and purchases so far. It knows what a learnt
model has to find out: how parameters are distributed, how they act, each account's day of install
and the release calendar.

Scope: probabilities of churn and payment of some users of the ordinary simulated game on a day.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.validation import Flags, Floats
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import table_file
from ds_assets.simulate import SimulationOptions
from ds_assets.simulate.game_file import HORIZON_DAYS
from ds_assets.simulate.lines import user_ids
from ds_assets.simulate.world import (
    MAX_ACTIVE,
    PLAYER_TYPES,
    STILL_PLAYING,
    PlayerType,
    World,
    build_world,
    type_mix,
)

Ints = npt.NDArray[np.int64]

ACTIVE_STEPS, LEAVE_STEPS, BUY_STEPS, SESSION_STEPS = 25, 9, 20, 40
"""Points of the grid for each hidden parameter: equally likely before anything is known."""
CHUNK = 250
"""Users at a time, which bounds memory."""
TINY = 1e-12


class Chances(NamedTuple):
    """Probabilities of users, an array of shape (users,) each."""

    churn: Floats
    payment: Floats


@dataclass(frozen=True)
class Behaviour:
    """What some users did, a row for each day from the first one on.

    Attributes:
        active: Whether a user was active, shape (days, users).
        sessions: Sessions of each user, shape (days, users).
        purchases: Purchases of each user, shape (days, users).
    """

    active: Flags
    sessions: Ints
    purchases: Ints

    def of(self, users: slice) -> "Behaviour":
        """What some of the users did."""
        return Behaviour(self.active[:, users], self.sessions[:, users], self.purchases[:, users])


def predict_best(
    options: SimulationOptions, lake: FolderLake, day: dt.date, users: list[str]
) -> Chances:
    """The best probabilities of some users of a simulated game at the end of a day.

    Args:
        options: The game, without groups that differ and without a change.
        lake: Has its activity.
        day: The day.
        users: Ids of the users.
    """
    world = build_world(options)
    numbers = pd.Index(user_ids(world.users).to_pylist()).get_indexer(users)
    behaviour = _read(lake, options.start, day, users)
    chunks = (slice(start, start + CHUNK) for start in range(0, len(users), CHUNK))
    both = [_Chunk(world, numbers[chunk], behaviour.of(chunk)).predict() for chunk in chunks]
    return Chances(*map(np.concatenate, zip(*both, strict=True)))


def _read(lake: FolderLake, start: dt.date, day: dt.date, users: list[str]) -> Behaviour:
    days = [date.date() for date in pd.date_range(start, day)]
    files = [str(lake.local(table_file("user_activity", it))) for it in days]
    query = """
        SELECT event_date, user_id, sum(activities) > 0, sum(sessions), sum(purchases)
        FROM read_parquet($files, hive_partitioning = false)
        WHERE user_id IN (SELECT unnest($users)) AND event_date <= $day GROUP BY ALL"""
    values = {"files": files, "users": users, "day": day}
    with duckdb.connect() as connection:
        rows = connection.execute(query, values).fetchall()
    place = {user: number for number, user in enumerate(users)}
    table = np.zeros((3, len(days), len(users)), dtype=np.int64)
    for date, user, *counts in rows:
        table[:, (date - start).days, place[user]] = counts
    return Behaviour(table[0] > 0, table[1], table[2])


class _Grid:
    """The hidden parameters, an array of shape (points,) each, and rates by player type."""

    def __init__(self) -> None:
        from scipy.stats import beta, lognorm  # noqa: PLC0415  # slow to import

        types = list(PLAYER_TYPES.values())
        table = np.array(types, dtype=np.float64)
        columns = {name: table[:, [n]] for n, name in enumerate(PlayerType._fields)}
        active, leave, buys, sessions = map(
            _middles, (ACTIVE_STEPS, LEAVE_STEPS, BUY_STEPS, SESSION_STEPS)
        )
        self.type = np.repeat(np.arange(len(types)), ACTIVE_STEPS * LEAVE_STEPS)
        likely = beta.ppf(active, 8 * columns["active"], 8 * (1 - columns["active"]))
        self.active = np.repeat(likely, LEAVE_STEPS, axis=1).ravel()
        leaves = lognorm.ppf(leave, 0.5, scale=columns["leave"])
        self.leave = np.tile(leaves, (1, ACTIVE_STEPS)).ravel()
        self.weekend, self.back = (columns[name][self.type, 0] for name in ("weekend", "back"))
        self.buys = np.minimum(lognorm.ppf(buys, 1.0, scale=columns["buys"]), 8)
        self.sessions = np.minimum(lognorm.ppf(sessions, 0.8, scale=columns["sessions"]), 30)


@cache
def _grid() -> _Grid:
    return _Grid()


def _middles(steps: int) -> Floats:
    return (np.arange(steps) + 0.5) / steps


class _DayLaw(NamedTuple):
    """What is probable on a day for each user and point, shape (users, points)."""

    leaves: Floats
    returns: Floats
    plays: Floats


class _Chunk:
    """Some users, and what is known of each point of the grid for each of them."""

    def __init__(self, world: World, users: Ints, behaviour: Behaviour) -> None:
        self._world, self._behaviour, self._days = world, behaviour, len(behaviour.active)
        self._grid = _grid()
        self._installed = world.installed[users]
        self._mix = np.log(type_mix()[world.channel[users], world.country[users]])
        self._news = np.array([world.news(day) for day in range(self._days + HORIZON_DAYS)])

    def predict(self) -> Chances:
        """Weigh the predictions of all points by how likely they are."""
        playing, likelihood = self._filter()
        of_type, of_buys = self._weigh_rates()
        odds = likelihood + (self._mix + of_type)[:, self._grid.type]
        weights = _normalize(odds)
        churn = (weights * self._never(playing, None)).sum(axis=1)
        unpaid = self._never(playing[..., None], self._grid.buys[self._grid.type])
        payment = 1 - np.einsum("up,upb,upb->u", weights, of_buys[:, self._grid.type], unpaid)
        return Chances(churn, payment)

    def _law(self, day: int) -> _DayLaw:
        """The law of `World.law` at each point."""
        grid, tenure, news = self._grid, (day - self._installed)[:, None], self._news[day]
        strength = (0, 0, 0, 0, 0.5, 1, 1)[(self._world.start.weekday() + day) % 7]
        plays = np.minimum(grid.active * grid.weekend**strength * (1 + 0.3 * news), MAX_ACTIVE)
        leaves = np.minimum(grid.leave * (1 + 5 * np.exp(-np.maximum(tenure, 0) / 10)), 0.5)
        returns = grid.back * max(1 + 3 * news, 0)
        return _DayLaw(
            np.where(tenure > 0, leaves, 0.0),
            np.where(tenure == 0, 1.0, np.where(tenure > 0, returns, 0.0)),
            np.where(tenure == 0, 1.0, plays),
        )

    def _filter(self) -> tuple[Floats, Floats]:
        """P(still playing) and the log-likelihood of the active days, shape (users, points)."""
        shape = len(self._installed), len(self._grid.type)
        playing = np.broadcast_to(np.where(self._installed < 0, STILL_PLAYING, 0.0)[:, None], shape)
        likelihood = np.zeros(shape)
        for day, active in enumerate(self._behaviour.active):
            law = self._law(day)
            playing = playing * (1 - law.leaves) + (1 - playing) * law.returns
            chance, was_active = playing * law.plays, active[:, None]
            likelihood += np.log(np.maximum(np.where(was_active, chance, 1 - chance), TINY))
            still = playing * (1 - law.plays) / np.maximum(1 - chance, TINY)
            playing = np.where(was_active, 1.0, still)
        return playing, likelihood

    def _weigh_rates(self) -> tuple[Floats, Floats]:
        """Log-likelihood of sessions and purchases by type, and the weights of purchase rates."""
        news = self._news[: self._days, None]
        extra = np.maximum(self._behaviour.sessions - 1, 0).sum(axis=0)
        played = (self._behaviour.active * (1 + 0.3 * news)).sum(axis=0)
        shopped = (self._behaviour.active * (1 + 0.6 * news)).sum(axis=0)
        of_sessions = _poisson(extra, played, self._grid.sessions)
        of_buys = _poisson(self._behaviour.purchases.sum(axis=0), shopped, self._grid.buys)
        totals = (np.logaddexp.reduce(odds, axis=2) for odds in (of_sessions, of_buys))
        steps = np.log(SESSION_STEPS) + np.log(BUY_STEPS)
        return np.asarray(sum(totals)) - steps, _normalize(of_buys)

    def _never(self, playing: Floats, buys: Floats | None) -> Floats:
        """P(no activity, or no purchase at each rate, in the horizon) of each user and point."""
        gone = 1 - playing
        for day in range(self._days, self._days + HORIZON_DAYS):
            leaves, returns, happens = self._law(day)
            if buys is not None:
                bought = -np.expm1(-buys * (1 + 0.6 * self._news[day]))
                leaves, returns, happens = (
                    leaves[..., None],
                    returns[..., None],
                    happens[..., None] * bought,
                )
            left, back = playing * leaves, gone * returns
            playing, gone = (playing - left + back) * (1 - happens), gone - back + left
        return playing + gone


def _poisson(counts: Ints, exposure: Floats, rates: Floats) -> Floats:
    """Log-likelihood of counts at each rate, but for a constant, shape (users, types, steps)."""
    means = exposure[:, None, None] * rates
    return counts[:, None, None] * np.log(rates) - means


def _normalize(odds: Floats) -> Floats:
    """Weights that add up to 1 over the last axis."""
    return np.exp(odds - np.logaddexp.reduce(odds, axis=-1, keepdims=True))
