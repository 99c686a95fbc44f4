"""The early model: probabilities from the first week on, before any label has matured.

A trained model needs labels, and the first of them mature weeks after the first day of logs. The
early model needs none: it is fitted to the days on which users came so far, by `bg_bb`. Purchases
are days with a purchase among the active days: a user who comes buys with a probability of the
user's own, which differs between users by a beta distribution. So a user who never bought has a
chance too, and one who has left has none. Amounts are those of `gamma_gamma`.

Scope: which users and parameters, and what they predict. When it is used is decided in training.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.core.cards import version_of
from ds_assets.core.encoding import USER_ID
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.data.event_histories import Columns, histories_of, purchases_of
from ds_assets.core.models.evaluation.metrics import Measures
from ds_assets.core.models.learning.bg_bb import (
    Beta,
    BgBb,
    alive_probability,
    coming_of,
    day_probability,
    day_probability_at,
    expected_days,
    fit_bg_bb,
    fit_shares,
    leaving_of,
)
from ds_assets.core.models.learning.bg_nbd import Histories
from ds_assets.core.models.learning.early_spread import Buyers, fit_early_spread
from ds_assets.core.models.learning.gamma_gamma import Amounts, expected_amounts, fit_amounts
from ds_assets.core.models.learning.spread import Spread
from ds_assets.core.targets import EARLY_VERSION, Target

MIN_DAYS = 7
"""Days of logs: within fewer, users who come once a week look like users who have left."""
MIN_USERS = 50
"""Active users: as many as a trained model needs of each outcome."""
MIN_PAYERS = 10
"""Users with a purchase, for payment: with fewer, the error of their share is above a third."""
MAX_PAUSE_DAYS = 3650
"""Longest pause that differs from longer ones: the time to compute a probability grows with it."""
MAX_DAYS = 36_500
"""Bound of all counts of days, and far above any that logs give."""
INTERVAL = (0.1, 0.9)
"""Quantiles at the ends of the interval of a probability."""
EARLY = "early"
"""Its name among the contenders that are measured."""
TINY = 1e-12
FEATURES = (
    "lifetime_active_days",
    "lifetime_active_gap",
    "lifetime_days_since_active",
    "lifetime_purchase_days",
    "lifetime_spend",
)
"""The features that it reads."""


class EarlyCheck(BaseModel):
    """How good an early model of an earlier day was over the days since then.

    Attributes:
        horizon: Number of these days, fewer than the target's horizon.
        users: Active users of the earlier day.
        positives: Users with a positive outcome within these days.
        contenders: How good it was, as `early`, and `recency` alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon: int
    users: int
    positives: int
    contenders: dict[str, Measures]


class EarlyCard(BaseModel):
    """The early model of a target.

    Attributes:
        version: `EARLY_VERSION` and a short hash of the parameters.
        users: Users that it was fitted to.
        window: Days in which each of them was active.
        activity: Parameters of active days: alpha, beta, gamma and delta of `BgBb`.
        payers: Users with a purchase among them; None for a target without purchases.
        purchases: Parameters a and b of the beta distribution of the share of active days with a
            purchase; None for a target without purchases.
        amounts: Parameters p, q and gamma of `Amounts`; None where nothing was spent.
        spread: How the spend of payers differs from what is expected of them in the target's
            horizon; None where nothing was spent.
        check: How good it was where something has been observed; None if nothing has.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    users: int
    window: int
    activity: tuple[float, float, float, float]
    payers: int | None = None
    purchases: tuple[float, float] | None = None
    amounts: tuple[float, float, float] | None = None
    spread: Spread | None = None
    check: EarlyCheck | None = None


class EarlyPredictions(NamedTuple):
    """What it predicts of each user, arrays of shape (users,); not a number without lifetimes.

    Attributes:
        probabilities: Of a positive outcome within the horizon.
        low: Lower end of the 80 % interval of the user's own chance.
        high: Its upper end.
        amounts: Expected spend in the horizon; None where there are no amounts.
        spend_low: Lower end of the 80 % interval of a user's spend, likewise.
        spend_high: Its upper end.
    """

    probabilities: Floats
    low: Floats
    high: Floats
    amounts: Floats | None = None
    spend_low: Floats | None = None
    spend_high: Floats | None = None


class _Users(NamedTuple):
    """What the early model knows of users, arrays of shape (users,).

    Attributes:
        active: Histories of their active days.
        bought: Number of days with a purchase.
        came: Number of days on which they could have bought.
        spend: Sum of what they spent.
    """

    active: Histories
    bought: Floats
    came: Floats
    spend: Floats

    @property
    def are_usable(self) -> NDArray[np.bool_]:
        """Which of them have lifetimes; features of an older release lack them."""
        numbers = np.array([*self.active, self.bought, self.spend])
        return np.asarray(np.isfinite(numbers).all(axis=0))

    def select(self, chosen: NDArray[np.bool_]) -> "_Users":
        """Select users."""
        active = Histories(*(values[chosen] for values in self.active))
        return _Users(active, self.bought[chosen], self.came[chosen], self.spend[chosen])


def find_early_shortfall(
    target: Target, features: pd.DataFrame | None, logged_days: int
) -> str | None:
    """Find what is missing for an early model, in words; None if nothing is.

    Args:
        target: What is predicted.
        features: Features of the day; None where none are stored.
        logged_days: Days of logs up to and with the day.
    """
    if logged_days < MIN_DAYS:
        return f"{logged_days} of the {MIN_DAYS} days of logs that an early prediction needs"
    if features is None:
        return "no features of the day, which an early prediction needs"
    users = _read_users(features)
    users = users.select(users.are_usable)
    count, payers = len(users.bought), int((users.bought > 0).sum())
    if count < MIN_USERS:
        return f"{count} of the {MIN_USERS} active users that an early prediction needs"
    if is_of_purchases(target) and payers < MIN_PAYERS:
        return f"{payers} of the {MIN_PAYERS} users with a purchase that an early prediction needs"
    return None


def fit_early(target: Target, features: pd.DataFrame) -> EarlyCard:
    """Fit the early model of a target to the users of a day.

    Args:
        target: What is predicted; `find_early_shortfall` finds nothing missing for it.
        features: Features of the day, which alone decide the result.
    """
    users = _read_users(features.sort_values(USER_ID))
    users = users.select(users.are_usable)
    parts: dict[str, Any] = {
        "users": len(users.bought),
        "window": target.active_days,
        "activity": fit_bg_bb(users.active, target.active_days),
    }
    if is_of_purchases(target):
        parts |= {
            "payers": int((users.bought > 0).sum()),
            "purchases": fit_shares(users.bought, users.came),
            "amounts": _fit_amounts(users),
        }
    version = f"{EARLY_VERSION}{version_of(target=target.name, horizon=target.horizon, **parts)}"
    card = EarlyCard(version=version, **parts)
    return card.model_copy(update={"spread": _fit_spread(card, users, target.horizon)})


def predict_early(card: EarlyCard, horizon: int, features: Columns) -> EarlyPredictions:
    """Predict users by their lifetimes.

    The interval covers the user's own chance, which a short history leaves open: whether the user
    has left already, and how often the user comes. How sure the parameters are adds little to it.

    Args:
        card: The early model.
        horizon: Length of the horizon, in open days.
        features: Features frame, or the values of `FEATURES` by name.
    """
    users = _read_users(features)
    is_usable = users.are_usable
    own = users.select(is_usable)
    alive, coming, leaving, *_ = buyers = _read_buyers(card, own)
    chance = alive * day_probability(coming, leaving, horizon)
    low, high = _interval(alive, coming, leaving, horizon)
    low, high = np.minimum(low, chance), np.maximum(high, chance)
    spend = _predict_spend(card, buyers, chance, horizon)
    if card.purchases is None:
        chance, low, high = 1 - chance, 1 - high, 1 - low
    return EarlyPredictions(*(_spread(values, is_usable) for values in (chance, low, high, *spend)))


def _read_buyers(card: EarlyCard, users: _Users) -> Buyers:
    """What the model says of users; of days with activity for a target without purchases."""
    model = BgBb(*card.activity)
    coming = coming_of(model, users.active)
    if card.purchases is not None:
        a, b = card.purchases
        coming = coming.times(Beta(a + users.bought, b + users.came - users.bought))
    alive, leaving = alive_probability(model, users.active), leaving_of(model, users.active)
    return Buyers(alive, coming, leaving, users.bought, users.spend)


def _predict_spend(
    card: EarlyCard, buyers: Buyers, chance: Floats, horizon: int
) -> tuple[Floats, ...]:
    """Expected spend, and the ends of its interval, as far as there are amounts and a spread."""
    if card.amounts is None:
        return ()
    expected = _expect_spend(card.amounts, buyers, horizon)
    if card.spread is None:
        return (expected,)
    return expected, *card.spread.interval(chance, expected / np.maximum(chance, TINY))


def _expect_spend(amounts: tuple[float, float, float], buyers: Buyers, horizon: int) -> Floats:
    """Expected spend of each user, shape (users,)."""
    likely = expected_amounts(Amounts(*amounts), buyers.number, buyers.total)
    days = expected_days(buyers.buying, buyers.leaving, horizon)
    return np.asarray(buyers.alive * days * likely)


def _fit_spread(card: EarlyCard, users: _Users, horizon: int) -> Spread | None:
    """Draw the spread of the spend of users; None where there are no amounts."""
    if card.amounts is None:
        return None
    buyers = _read_buyers(card, users)
    chance = buyers.alive * day_probability(buyers.buying, buyers.leaving, horizon)
    expected = _expect_spend(card.amounts, buyers, horizon) / np.maximum(chance, TINY)
    return fit_early_spread(buyers, Amounts(*card.amounts), expected, horizon)


def _fit_amounts(users: _Users) -> Amounts | None:
    """Fit amounts whose mean over all users is at most that of the amounts so far.

    Where a few users spend most, q comes close to 1, and the mean of users who have not bought yet
    to infinity.
    """
    amounts = fit_amounts(users.bought, users.spend)
    if amounts is None:
        return None
    is_payer = (users.bought > 0) & (users.spend > 0)
    mean = float(users.spend[is_payer].sum() / users.bought[is_payer].sum())
    return amounts._replace(q=max(amounts.q, 1 + amounts.p * amounts.gamma / mean))


def is_of_purchases(target: Target) -> bool:
    """Whether a positive user has bought, rather than stayed away."""
    return target.label.measure == "purchases"


def _read_users(features: Columns) -> _Users:
    """Read lifetimes, within the bounds that lifetimes have: clients may send any numbers."""
    x, t_x, t = histories_of(features, "active")
    bought, spend = purchases_of(features)
    with np.errstate(invalid="ignore"):
        x = np.where(x >= 0, np.minimum(x, MAX_DAYS), np.nan)
        t_x = np.clip(t_x, x, MAX_DAYS)
        pause = np.clip(np.round(t - t_x), 0, MAX_PAUSE_DAYS)
        bought = np.clip(bought, 0, MAX_DAYS)
    return _Users(Histories(x, t_x, t_x + pause), bought, np.maximum(x + 1, bought), spend)


def _interval(alive: Floats, coming: Beta, leaving: Beta, horizon: int) -> tuple[Floats, Floats]:
    """Quantiles of a user's chance: none after leaving, else that of the chance of coming."""
    from scipy.special import betaincinv  # noqa: PLC0415  # slow to import

    ends = []
    for quantile in INTERVAL:
        rank = np.clip((quantile - (1 - alive)) / np.maximum(alive, TINY), 0, 1)
        daily = np.asarray(betaincinv(coming.a, coming.b, rank), np.float64)
        ends.append(day_probability_at(daily, leaving, horizon))
    low, high = ends
    return low, high


def _spread(values: Floats, is_usable: NDArray[np.bool_]) -> Floats:
    """Values of all users, given those of the usable ones."""
    spread = np.full(len(is_usable), np.nan)
    spread[is_usable] = values
    return spread
