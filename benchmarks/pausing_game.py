"""A simulated game whose players pause for weeks and come back, and the truth about them.

A player plays, pauses or has left for good. A pause has three stages of random length, so that most
last about as long as the player's own mean. While playing, a player is active on a day with a
probability of the player's own, and then buys with another.

The truth knows each player's parameters and past activity. It filters the hidden state with the
forward algorithm (Rabiner, A Tutorial on Hidden Markov Models, 1989, section III.A).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.controls.histories import Flags, Floats, Ints
from benchmarks.simulated_logs import write_game, write_logs, write_truth

FIRST_DAY = dt.date(2025, 1, 1)
ACTIVE_DAYS, HORIZON_DAYS = 28, 14
CHANNELS = ("ads", "organic")
PLAYING, PAUSE_STAGES, GONE = 0, 3, 4
"""States: 0 plays, 1 to 3 are the stages of a pause, 4 has left."""
STATES = GONE + 1
SESSION_MINUTES = 12.0


@dataclass(frozen=True)
class Players:
    """Parameters of the players, an item for each.

    Attributes:
        channel: Place in `CHANNELS`.
        installed: Day of the install, from 0.
        active: Probability of being active on a day of playing.
        pauses: Probability that a pause begins on a day of playing.
        continues: Probability that a stage of a pause ends on a day.
        leaves: Probability of leaving for good on a day of playing.
        buys: Mean number of purchases on an active day, which is Poisson.
        price: Median price of a purchase.
    """

    channel: Ints
    installed: Ints
    active: Floats
    pauses: Floats
    continues: Floats
    leaves: Floats
    buys: Floats
    price: Floats

    @property
    def pays(self) -> Floats:
        """Probability of at least one purchase on a day of playing."""
        return np.asarray(self.active * -np.expm1(-self.buys))

    def next_day(self, chances: Floats) -> Floats:
        """Probabilities of the states on the next day.

        Args:
            chances: Those of a day, of shape (states, players).
        """
        playing, *stages, gone = chances
        ends = self.continues
        pausing = playing * self.pauses
        following = []
        for stage in stages:
            following.append(stage * (1 - ends) + pausing)
            pausing = stage * ends
        stays = playing * (1 - self.pauses - self.leaves)
        return np.array([stays + pausing, *following, gone + playing * self.leaves])


def simulate_pausing_game(
    users: int, days: int, folder: Path, truth_days: Sequence[int], seed: int = 1
) -> None:
    """Write logs and `game.yaml` of a game, and the truth about it on some days, from 0."""
    rng = np.random.default_rng(seed)
    players = draw_players(users, days, rng)
    activity = draw_activity(players, days, rng)
    dates = [FIRST_DAY + dt.timedelta(number) for number in range(days)]
    write_logs(folder, _draw_events(players, activity, rng), dates)
    write_game(
        folder,
        {
            "name": "Simulated game with pauses",
            "first_day": dates[0],
            "last_day": dates[-1],
            "events": {
                "activity": ["session_start"],
                "purchases": ["purchase"],
                "sessions": ["session_start"],
            },
            "properties": {"minutes": "minutes"},
            "active_days": ACTIVE_DAYS,
            "horizons": {"churn": HORIZON_DAYS, "payment": HORIZON_DAYS},
        },
    )
    for day in truth_days:
        chosen, columns = best_predictions(players, activity[:, : day + 1])
        write_truth(folder, dates[day], chosen, **columns)


def draw_players(users: int, days: int, rng: np.random.Generator) -> Players:
    """Draw parameters; two fifths install in the first month, the others evenly after it."""
    channel = rng.integers(0, len(CHANNELS), users)
    is_early = rng.random(users) < 0.4
    installed = np.where(is_early, rng.uniform(0, 30, users), rng.uniform(30, 0.95 * days, users))
    pause_days = np.clip(rng.lognormal(np.log(22), 0.6, users), 5, 90)
    return Players(
        channel=channel,
        installed=installed.astype(np.int64),
        active=rng.beta(3, 2.5, users),
        pauses=np.minimum(rng.lognormal(np.log(1 / 25), 0.7, users), 0.3),
        continues=PAUSE_STAGES / pause_days,
        leaves=np.minimum(rng.lognormal(np.log(np.where(channel == 0, 0.006, 0.003)), 0.5), 0.1),
        buys=np.minimum(rng.lognormal(np.log(0.02), 1.3, users), 2),
        price=rng.lognormal(np.log(6), 0.6, users),
    )


def draw_activity(players: Players, days: int, rng: np.random.Generator) -> Flags:
    """Whether each player was active on each day, of shape (players, days)."""
    users = len(players.installed)
    state = np.full(users, GONE)
    activity = np.zeros((users, days), dtype=bool)
    for day in range(days):
        fate = rng.random(users)
        is_playing, is_pausing = state == PLAYING, (state > PLAYING) & (state < GONE)
        begins = is_playing & (fate < players.pauses)
        left = is_playing & ~begins & (fate < players.pauses + players.leaves)
        ends = is_pausing & (fate < players.continues)
        state = np.where(begins | ends, (state + 1) % GONE, np.where(left, GONE, state))
        state[players.installed == day] = PLAYING
        activity[:, day] = (state == PLAYING) & (rng.random(users) < players.active)
        activity[players.installed == day, day] = True
    return activity


def _draw_events(players: Players, activity: Flags, rng: np.random.Generator) -> pd.DataFrame:
    user, day = np.nonzero(activity)
    sessions = np.repeat(np.arange(len(user)), 1 + rng.poisson(0.6, len(user)))
    buys = np.repeat(np.arange(len(user)), rng.poisson(players.buys[user]))
    visit = np.concatenate([sessions, buys])
    is_purchase = np.arange(len(visit)) >= len(sessions)
    who = user[visit]
    price = players.price[who] * rng.lognormal(0, 0.5, len(visit))
    minutes = rng.lognormal(np.log(SESSION_MINUTES), 0.6, len(visit))
    return pd.DataFrame(
        {
            "user": who,
            "time": day[visit] + rng.uniform(0.3, 0.99, len(visit)),
            "type": np.where(is_purchase, "purchase", "session_start"),
            "channel": np.array(CHANNELS)[players.channel[who]],
            "amount": np.where(is_purchase, np.maximum(price, 0.01), np.nan),
            "minutes": np.where(is_purchase, np.nan, minutes),
        }
    )


def best_predictions(players: Players, activity: Flags) -> tuple[Ints, dict[str, Floats]]:
    """What parameters and activity say of each active player.

    Args:
        players: Their parameters.
        activity: Whether each was active on each day so far, of shape (players, days).

    Returns:
        The active players, ascending; churn_probability and payment_probability.
    """
    chances = _filter_states(players, activity)
    users = np.flatnonzero(activity[:, -ACTIVE_DAYS:].any(axis=1))
    none, unpaid = chances, chances
    for _ in range(HORIZON_DAYS):
        none, unpaid = players.next_day(none), players.next_day(unpaid)
        none[PLAYING] *= 1 - players.active
        unpaid[PLAYING] *= 1 - players.pays
    return users, {
        "churn_probability": none.sum(axis=0)[users],
        "payment_probability": 1 - unpaid.sum(axis=0)[users],
    }


def _filter_states(players: Players, activity: Flags) -> Floats:
    """Probabilities of the states after the last day, of shape (states, players)."""
    chances = np.zeros((STATES, len(players.installed)))
    chances[GONE] = 1
    for day, is_active in enumerate(activity.T):
        chances = players.next_day(chances)
        chances[PLAYING] *= np.where(is_active, players.active, 1 - players.active)
        chances[1:, is_active] = 0
        chances[:, players.installed == day] = np.eye(STATES)[PLAYING][:, None]
        chances /= chances.sum(axis=0)
    return chances
