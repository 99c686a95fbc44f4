"""The world: the game's parameters, its accounts with their hidden parameters, and the day's law.

Scope: all probabilities of a user's next day. The game draws from this law and the oracle computes
with it, so the two cannot drift apart.

A user is playing or gone. Each day a playing user may leave, and a gone user may return; then a
playing user is active with that day's probability; an active user has a Poisson number of sessions
and, independently, of purchases. An install is a return with probability 1.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ds_assets.simulate.events import BETWEEN_PRICES, PRICES, Flags, Floats, Ints
from ds_assets.simulate.options import SimulationOptions
from ds_assets.simulate.responses import (
    PERSUADED_BUY,
    PERSUADED_LEAVE,
    PERSUADED_PLAY,
    PERSUADED_RETURN,
    WOKEN_LEAVE,
    Offers,
    ResponseType,
    response_shares,
)
from ds_assets.simulate.streams import Part, stream
from ds_assets.simulate.ways import (
    WAYS,
    Ways,
    burnt_out,
    changed_buys,
    changed_leave,
    on_own_day,
    on_pass_days,
)


class PlayerType(NamedTuple):
    """A hidden type; what is a median or a mean varies around it from user to user."""

    share: float
    """Share of the accounts, before channel and country shift it."""
    active: float
    """Mean probability of being active on a working day."""
    weekend: float
    """Factor of that probability on Saturday and Sunday."""
    leave: float
    """Median probability of leaving on a day, for one with a long tenure."""
    back: float
    """Probability of returning on a day without news."""
    sessions: float
    """Median number of sessions beyond the first on an active day."""
    minutes: float
    """Median length of a session."""
    buys: float
    """Median number of purchases on an active day."""
    price: float
    """Median price that is looked for, in US dollars."""


PLAYER_TYPES = {
    "casual": PlayerType(0.46, 0.33, 1.35, 0.008, 0.004, 0.7, 6, 0.004, 2.5),
    "regular": PlayerType(0.27, 0.62, 1.15, 0.004, 0.006, 1.8, 9, 0.02, 5),
    "hardcore": PlayerType(0.10, 0.88, 1.0, 0.0015, 0.008, 5.0, 14, 0.05, 7),
    "whale": PlayerType(0.03, 0.84, 1.05, 0.002, 0.010, 4.0, 12, 0.35, 30),
    "dormant_prone": PlayerType(0.14, 0.40, 0.8, 0.030, 0.012, 0.5, 5, 0.004, 2),
}

# Share of the accounts, and factors of each type's share, in the order of PLAYER_TYPES.
CHANNELS = {
    "organic": (0.45, (1.0, 1.0, 1.0, 1.0, 1.0)),
    "ads": (0.35, (1.3, 0.8, 0.5, 0.7, 2.0)),
    "referral": (0.12, (0.7, 1.4, 1.6, 1.2, 0.5)),
    "cross_promo": (0.08, (0.9, 1.2, 1.0, 1.0, 1.0)),
}
COUNTRIES = {
    "KR": (0.40, (0.9, 1.1, 1.5, 1.3, 0.8)),
    "US": (0.20, (1.1, 1.0, 0.8, 1.0, 1.2)),
    "JP": (0.15, (0.9, 1.0, 1.2, 2.0, 0.8)),
    "TH": (0.15, (1.2, 0.9, 0.7, 0.4, 1.2)),
    "TW": (0.10, (1.0, 1.1, 1.1, 1.1, 0.9)),
}

EXISTING = 0.7
"""Share of the accounts that exist on the first day."""
STILL_PLAYING = 0.85
"""Share of those that have not left by then."""
PAST_DAYS, COMING_DAYS = 90, 30
"""Mean age of an account on the first day, and mean days until the others install."""
MAX_ACTIVE = 0.97
PRICE_SPREAD = 0.7
"""Standard deviation of the logarithm of the prices that a user looks for."""
NEWS_FADES = 3.0
"""Days in which the effect of a content update falls to a third."""


@dataclass(frozen=True)
class Law:
    """What is probable on one day: an array each, one number for each user."""

    leaves: Floats
    """P(gone today | playing yesterday)."""
    returns: Floats
    """P(playing today | gone yesterday)."""
    plays: Floats
    """P(active today | playing today)."""
    buys: Floats
    """Expected purchases today, if active; their number is Poisson."""
    sessions: Floats
    """Expected sessions beyond the first today, if active; their number is Poisson."""

    @property
    def pays(self) -> Floats:
        """P(at least one purchase today | playing today)."""
        return -self.plays * np.expm1(-self.buys)


@dataclass(frozen=True)
class World:
    """The accounts, an array each in the order of installing, and the release calendar."""

    start: dt.date
    updates: Ints
    """Days of the content updates, from before the first day to beyond the last."""
    channel: Ints
    country: Ints
    player_type: Ints
    installed: Ints
    """Day of the install; negative before the first day."""
    active: Floats
    leave: Floats
    back: Floats
    sessions: Floats
    minutes: Floats
    buys: Floats
    price: Floats
    weekly: Flags
    monthly_pass: Flags
    likes_news: Floats
    changed_from: int | None
    """Day from which on behaviour is different."""
    response_shares: Floats
    """P(response type) given the other hidden parameters, shape (users, types)."""
    response: Ints
    """The response type of each user."""

    @property
    def users(self) -> int:
        """Number of accounts."""
        return len(self.installed)

    @property
    def playing_at_first(self) -> Floats:
        """P(playing) on the evening before the first day."""
        return np.where(self.installed < 0, STILL_PLAYING, 0.0)

    @property
    def mean_price(self) -> Floats:
        """Expected amount of a purchase of each user, in US dollars."""
        from scipy.stats import norm  # noqa: PLC0415  # slow to import

        distance = np.log(BETWEEN_PRICES) - np.log(self.price)[:, None]
        until = norm.cdf(distance / PRICE_SPREAD)
        shares = np.diff(until, prepend=0.0, append=1.0, axis=1)
        return np.asarray(shares @ np.array(PRICES))

    def law(self, day: int) -> Law:
        """What is probable on `day`, counted from 0: a pure function of the world and the day."""
        changed = self.changed_from is not None and day >= self.changed_from
        news = self.news(day) * self.likes_news
        tenure = day - self.installed
        plays = self.active * self._weekday(day, changed)[self.player_type] * (1 + 0.3 * news)
        plays = on_own_day(np.minimum(plays, MAX_ACTIVE), self.weekly, tenure)
        returns = self.back * np.maximum(1 + 3 * news, 0) * (tenure > 0)
        buys = changed_buys(self.buys, self.sessions) if changed else self.buys
        buys = on_pass_days(buys, self.monthly_pass, tenure)
        return Law(
            leaves=np.where(tenure > 0, self._leaves(tenure, changed), 0.0),
            returns=np.where(tenure == 0, 1.0, returns),
            plays=np.where(tenure == 0, 1.0, plays),
            buys=buys * (1 + 0.6 * news),
            sessions=self.sessions * (1 + 0.3 * news),
        )

    def respond(self, law: Law, offers: Offers | None) -> Law:
        """What is probable on a day with the offers in effect on it, given what is without them."""
        if offers is None:
            return law
        persuadable = self.response == ResponseType.PERSUADABLE
        woken = (self.response == ResponseType.SLEEPING_DOG) & offers.any
        stays, buys = persuadable & offers.retention, persuadable & offers.sale
        leaves = law.leaves * np.where(stays, PERSUADED_LEAVE, 1.0)
        return replace(
            law,
            leaves=np.minimum(leaves + np.where(woken, WOKEN_LEAVE, 0.0), 1.0),
            returns=np.minimum(law.returns * np.where(stays, PERSUADED_RETURN, 1.0), 1.0),
            plays=np.minimum(law.plays * np.where(stays, PERSUADED_PLAY, 1.0), 1.0),
            buys=law.buys * np.where(buys, PERSUADED_BUY, 1.0),
        )

    def _leaves(self, tenure: Ints, changed: bool) -> Floats:
        leave = changed_leave(self.leave) if changed else self.leave
        # One who is new leaves six times as readily as one who has stayed for long.
        return np.asarray(np.minimum(leave * (1 + 5 * np.exp(-np.maximum(tenure, 0) / 10)), 0.5))

    def news(self, day: int) -> float:
        """How new the latest content update is: 1 on its day, then falling towards 0."""
        latest = self.updates[np.searchsorted(self.updates, day, "right") - 1]
        return float(np.exp(-(day - latest) / NEWS_FADES))

    def _weekday(self, day: int, changed: bool) -> Floats:
        """Factor of the probability of being active, for each type; a change turns it round."""
        weekend = np.array([player_type.weekend for player_type in PLAYER_TYPES.values()])
        weekday = (self.start.weekday() + day) % 7
        strength = (0, 0, 0, 0, 0.5, 1, 1)[weekday]  # Friday is half a weekend
        return np.asarray(weekend ** (-strength if changed else strength))


def build_world(options: SimulationOptions) -> World:
    """The world of a seed. Nothing in it but the calendar's length depends on the days asked."""
    rng = stream(options.seed, Part.PEOPLE)
    users = options.users
    channel = _choose(rng.random(users), np.array([share for share, _ in CHANNELS.values()]))
    country = _choose(rng.random(users), np.array([share for share, _ in COUNTRIES.values()]))
    player_type = _choose(rng.random(users), type_mix()[channel, country])
    changed_from = options.changed_from
    installed = _installed(users, rng)
    hidden = _hidden_parameters(player_type, country, options, rng)
    countries = np.array(list(COUNTRIES))[country].tolist()
    shares = response_shares(
        installed, hidden["sessions"], hidden["leave"], hidden["buys"], countries
    )
    return World(
        start=options.start,
        updates=_updates(options),
        channel=channel,
        country=country,
        player_type=player_type,
        installed=installed,
        changed_from=None if changed_from is None else (changed_from - options.start).days,
        response_shares=shares,
        response=_choose(stream(options.seed, Part.RESPONSES).random(users), shares),
        **hidden,
    )


def _updates(options: SimulationOptions) -> Ints:
    rng = stream(options.seed, Part.CALENDAR)
    first = -int(rng.integers(1, 22))
    gaps = rng.integers(21, 36, size=options.days // 21 + 3)
    return np.concatenate([[first], first + np.cumsum(gaps)])


def type_mix() -> Floats:
    """Shares of the types for each channel and country, of shape (channels, countries, types)."""
    shares = np.array([player_type.share for player_type in PLAYER_TYPES.values()])
    by_channel = np.array([factors for _, factors in CHANNELS.values()])
    by_country = np.array([factors for _, factors in COUNTRIES.values()])
    return np.asarray(shares * by_channel[:, None, :] * by_country[None, :, :])


def _choose(uniform: Floats, weights: Floats) -> Ints:
    """Index drawn for each uniform number, with weights for all or (a row each) for each."""
    bounds = np.cumsum(weights, axis=-1)
    bounds = bounds[..., :-1] / bounds[..., -1:]
    return np.asarray((uniform[:, None] >= bounds).sum(axis=1))


def _installed(users: int, rng: np.random.Generator) -> Ints:
    existing = rng.random(users) < EXISTING
    past = -1 - rng.exponential(PAST_DAYS, users)
    coming = rng.exponential(COMING_DAYS, users)
    return np.sort(np.floor(np.where(existing, past, coming)).astype(np.int64))


def _hidden_parameters(
    player_type: Ints, country: Ints, options: SimulationOptions, rng: np.random.Generator
) -> dict[str, Any]:
    types = np.array(list(PLAYER_TYPES.values()))[player_type]
    median = {name: types[:, column] for column, name in enumerate(PlayerType._fields)}
    ways = _ways(country, options)

    def varied(name: str, sigma: float) -> Floats:
        return np.asarray(median[name] * rng.lognormal(0, sigma, len(types)))

    active = rng.beta(8 * median["active"], 8 * (1 - median["active"]))
    leave = varied("leave", 0.5)
    sessions = np.minimum(varied("sessions", 0.8), 30)
    return {
        "active": active,
        "leave": burnt_out(leave, sessions, ways["burn_out"]),
        "back": median["back"],
        "sessions": sessions,
        "minutes": varied("minutes", 0.4),
        "buys": np.minimum(varied("buys", 1.0), 8),
        "price": varied("price", 0.5),
        "weekly": ways["weekly"].astype(bool),
        "monthly_pass": ways["monthly_pass"].astype(bool),
        "likes_news": ways["news"],
    }


def _ways(country: Ints, options: SimulationOptions) -> dict[str, Floats]:
    """What `Ways` says of each user's country, a number each."""
    of_country = [WAYS[name] if options.groups_differ else Ways() for name in COUNTRIES]
    table = np.array(of_country, dtype=np.float64)[country]
    return {name: table[:, column] for column, name in enumerate(Ways._fields)}
