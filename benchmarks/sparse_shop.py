"""A simulated shop of sparse buyers, and the truth about them: BG/NBD with gamma-gamma spend.

A buyer appears with a first purchase, buys again after exponential gaps, and may leave after each
repeated purchase; rates and chances of leaving differ between buyers, and their distributions
between channels (Fader, Hardie and Lee, "Counting Your Customers" the Easy Way, 2005). Amounts are
gamma around a mean of the buyer's own, whose distribution has a heavy tail (Fader and Hardie, The
Gamma-Gamma Model of Monetary Value, 2013).

Time is counted in open days, so that a shop may be shut on one weekday.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.controls.histories import Floats, Ints
from benchmarks.simulated_logs import write_game, write_logs, write_truth
from ds_assets.core.models.learning.bg_nbd import (
    Histories,
    Rates,
    event_probability,
    expected_events,
)
from ds_assets.core.models.learning.gamma_gamma import Amounts, expected_amounts

FIRST_DAY = dt.date(2024, 1, 1)
ACTIVE_DAYS, CHURN_DAYS, PAYMENT_DAYS = 90, 56, 28
ARRIVING = 0.95
"""Share of the time in which buyers arrive, evenly."""


class Channel(NamedTuple):
    """Distributions of a channel's buyers; rates are per open day.

    Attributes:
        share: Share of the buyers.
        r: Shape of the gamma distribution of rates of buying.
        alpha: Its inverse scale.
        a: First parameter of the beta distribution of chances of leaving.
        b: The second one.
    """

    share: float
    r: float
    alpha: float
    a: float
    b: float


CHANNELS = {
    "friends": Channel(0.2, 1.0, 60, 0.5, 4.0),
    "search": Channel(0.5, 0.6, 50, 0.8, 4.0),
    "social": Channel(0.3, 0.4, 60, 1.2, 2.5),
}
P, Q, GAMMA = 4.0, 2.2, 12.0
"""Gamma-gamma: shape of amounts, and shape and inverse scale of their rates. Mean 40 per purchase;
means of buyers have a Pareto tail with an index of 2.2."""


@dataclass(frozen=True)
class ShopOptions:
    """Size of the shop.

    Attributes:
        buyers: Number of buyers in all.
        days: Length of the log.
        closed_weekday: Weekday on which the shop is shut, 0 for Monday; none if it never is.
        seed: Seed of all random numbers.
    """

    buyers: int
    days: int = 730
    closed_weekday: int | None = None
    seed: int = 1

    @property
    def closed_days(self) -> list[dt.date]:
        """Days on which the shop is shut, ascending."""
        days = (FIRST_DAY + dt.timedelta(number) for number in range(self.days))
        return [day for day in days if day.weekday() == self.closed_weekday]

    @property
    def open_days(self) -> list[dt.date]:
        """Days on which it is not."""
        closed = set(self.closed_days)
        days = (FIRST_DAY + dt.timedelta(number) for number in range(self.days))
        return [day for day in days if day not in closed]


def simulate_shop(options: ShopOptions, folder: Path, truth_days: Sequence[dt.date]) -> None:
    """Write logs and `game.yaml` of a shop, and the truth about it on some days."""
    rng = np.random.default_rng(options.seed)
    shares = [channel.share for channel in CHANNELS.values()]
    channel = rng.choice(len(CHANNELS), options.buyers, p=shares)
    parameters = np.array(list(CHANNELS.values()))[channel]
    dates = options.open_days
    purchases = draw_purchases(parameters, len(dates), rng)
    names = np.array(list(CHANNELS))
    events = purchases.assign(
        type="order", channel=names[channel[purchases["user"]]], minutes=np.nan
    )
    write_logs(folder, events, dates)
    write_game(
        folder,
        {
            "name": "Simulated shop",
            "first_day": FIRST_DAY,
            "last_day": FIRST_DAY + dt.timedelta(options.days - 1),
            "closed_days": options.closed_days,
            "events": {"purchases": ["order"]},
            "active_days": ACTIVE_DAYS,
            "horizons": {"churn": CHURN_DAYS, "payment": PAYMENT_DAYS},
        },
    )
    for day in truth_days:
        users, columns = best_predictions(purchases, parameters, dates.index(day) + 1)
        write_truth(folder, day, users, **columns)


def draw_purchases(parameters: Floats, days: int, rng: np.random.Generator) -> pd.DataFrame:
    """Every purchase: user, time and amount."""
    _, r, alpha, a, b = parameters.T
    rate, leaves = rng.gamma(r, 1 / alpha), rng.beta(a, b)
    nu = rng.gamma(Q, 1 / GAMMA, len(parameters))
    user = np.arange(len(parameters))
    time = rng.uniform(0, ARRIVING * days, len(user))
    rounds = []
    while len(user):
        rounds.append(pd.DataFrame({"user": user, "time": time}))
        time = time + rng.exponential(1 / rate[user])
        # The first purchase never is the last: in BG/NBD only a repeated one can be.
        stays = (rng.random(len(user)) >= leaves[user]) | (len(rounds) == 1)
        stays &= time < days
        user, time = user[stays], time[stays]
    purchases = pd.concat(rounds, ignore_index=True)
    amounts = rng.gamma(P, 1 / nu[purchases["user"]])
    return purchases.assign(amount=np.maximum(np.round(amounts, 2), 0.01))


def best_predictions(
    purchases: pd.DataFrame, parameters: Floats, now: int
) -> tuple[Ints, dict[str, Floats]]:
    """What the true distributions say of each active buyer, given the purchases so far.

    Args:
        purchases: user, time and amount of all purchases.
        parameters: A row of `Channel` per user.
        now: Open days that have passed.

    Returns:
        The active buyers, ascending; churn_probability, payment_probability and expected_spend.
    """
    by_user = purchases[purchases["time"] < now].groupby("user")
    buyers = by_user.agg(
        first=("time", "min"), last=("time", "max"), n=("time", "size"), spend=("amount", "sum")
    )
    buyers = buyers[np.floor(buyers["last"]) >= now - ACTIVE_DAYS]
    users = buyers.index.to_numpy()
    rates = Rates(*parameters[users].T[1:])
    first, last, n, spend = (buyers[name].to_numpy(np.float64) for name in buyers.columns)
    histories = Histories(n - 1, last - first, now - first)
    amounts = expected_amounts(Amounts(P, Q, GAMMA), n, spend)
    return users, {
        "churn_probability": 1 - event_probability(rates, histories, CHURN_DAYS),
        "payment_probability": event_probability(rates, histories, PAYMENT_DAYS),
        "expected_spend": expected_events(rates, histories, PAYMENT_DAYS) * amounts,
    }
