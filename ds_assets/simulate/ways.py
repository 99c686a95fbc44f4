"""Behaviour that differs between countries, and behaviour that changes for good on one day.

Scope: the two kinds of game in which a single model for all users, or for all time, is wrong. Both
change the parameters of the day's law, so the oracle knows as much about them as the game does.
"""

from typing import NamedTuple

import numpy as np

from ds_assets.simulate.events import Flags, Floats, Ints


class Ways(NamedTuple):
    """How the players of a country behave; the defaults change nothing."""

    weekly: bool = False
    """Whether they come on their own day of the week, that of their install, and seldom else."""
    burn_out: float = 0.0
    """Power of a user's usual number of sessions with which leaving grows."""
    monthly_pass: bool = False
    """Whether they buy when their month, counted from the install, begins, and seldom else."""
    news: float = 1.0
    """Effect of a content update, as a multiple of the usual one."""


WAYS = {
    "KR": Ways(burn_out=-0.8),
    "US": Ways(burn_out=1.5, monthly_pass=True, news=-0.7),
    "JP": Ways(weekly=True, monthly_pass=True),
    "TH": Ways(burn_out=1.5, news=-0.7),
    "TW": Ways(weekly=True, burn_out=-0.8),
}
"""Of each country, in a game whose groups differ."""

USUAL_SESSIONS = 1.5
"""Sessions beyond the first at which burning out has no effect."""
WEEK, MONTH = 7, 28
OWN_DAY, OTHER_DAYS = 0.6, 0.04
"""Least probability of playing on a user's own day of the week, and factor on all other days."""
PASS_DAYS = 3
PASS_BUYS, OTHER_BUYS = 8.0, 0.05
"""Factors of purchases on the days on which a pass is due, and on all others."""

CALM_LEAVE = 0.006
"""Probability of leaving that a change does not affect; lower ones rise and higher ones fall."""
USUAL_BUYS, OLD_HABIT, LITTLE_PLAY = 0.015, 0.3, -1.2
"""After a change: purchases on an active day, and the exponents of the old number of purchases and
of the number of sessions. A dependence on hidden numbers only could not be learnt from logs."""


def burnt_out(leave: Floats, sessions: Floats, power: Floats) -> Floats:
    """Probability of leaving, rising or falling with the usual number of sessions."""
    return np.asarray(leave * (sessions / USUAL_SESSIONS) ** power)


def on_own_day(plays: Floats, weekly: Flags, tenure: Ints) -> Floats:
    """Probability of being active, concentrated on one day of the week for weekly players."""
    gathered = np.where(tenure % WEEK == 0, OWN_DAY + (1 - OWN_DAY) * plays, OTHER_DAYS * plays)
    return np.where(weekly, gathered, plays)


def on_pass_days(buys: Floats, monthly: Flags, tenure: Ints) -> Floats:
    """Expected purchases, concentrated on the days when a monthly pass is due."""
    factor = np.where(tenure % MONTH < PASS_DAYS, PASS_BUYS, OTHER_BUYS)
    return np.where(monthly, buys * factor, buys)


def changed_leave(leave: Floats) -> Floats:
    """Probability of leaving, with low and high probabilities exchanged."""
    return np.asarray(CALM_LEAVE**2 / leave)


def changed_buys(buys: Floats, sessions: Floats) -> Floats:
    """Expected purchases, highest for users who play little."""
    habit = (buys / USUAL_BUYS) ** OLD_HABIT
    return np.asarray(USUAL_BUYS * habit * (sessions / USUAL_SESSIONS) ** LITTLE_PLAY)
