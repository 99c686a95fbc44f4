"""BG/BB: on how many of the next days a user will come, from how many and how recent the days were.

On each day a living user comes with a probability of the user's own; at the end of each day the
user may leave for ever. Both probabilities differ between users, by beta distributions. Fader,
Hardie and Shang, Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing
Science 29(6), 2010. Symbols are those of the paper; time is counted in days.

Where `bg_nbd` counts events in continuous time, this model counts days, of which no user can have
more than one a day: that is what distinguishes players who come every day.

Scope: the distributions, what a history says of a user, and the chance of a day in a horizon.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.bg_nbd import Histories
from ds_assets.core.models.learning.maximum_likelihood import choose_evenly, minimize_positive

Parameter: TypeAlias = float | Floats
"""A number for all users, or an array of shape (users,)."""
_SMALLEST = 1e-300
_TYPICAL_LEAVING, _LEAVING_DEVIATION = (0.5, 20.0), 1.5
"""Prior of gamma and delta: their logarithms are normal around these, where 2.4 % of users leave
after a day, with this standard deviation, a factor of 4.5. A few weeks of a shop show hardly
anything of leaving, and the likelihood alone may decide for any share; with thousands of players
the prior has no weight."""


class Beta(NamedTuple):
    """Beta distributions of a probability, one for all users or one for each."""

    a: Parameter
    b: Parameter

    def times(self, other: "Beta") -> "Beta":
        """The beta distribution with mean and variance of the product of independent ones."""
        mean, square = self.mean * other.mean, self.mean_square * other.mean_square
        size = mean * (1 - mean) / np.maximum(square - mean**2, _SMALLEST) - 1
        return Beta(mean * size, (1 - mean) * size)

    @property
    def mean(self) -> Parameter:
        """Mean of the probability."""
        return self.a / (self.a + self.b)

    @property
    def mean_square(self) -> Parameter:
        """Mean of its square."""
        return self.mean * (self.a + 1) / (self.a + self.b + 1)


class BgBb(NamedTuple):
    """The distributions of users.

    Attributes:
        alpha: First parameter of the beta distribution of the chance of coming on a day.
        beta: The second one.
        gamma: First parameter of the beta distribution of the chance of leaving after a day.
        delta: The second one.
    """

    alpha: float
    beta: float
    gamma: float
    delta: float


def fit_bg_bb(histories: Histories, window: int) -> BgBb:
    """Fit the distributions to users who came within a trailing window.

    Users who stayed away for longer are not among them, so the likelihood of a history is that
    given a day in the window. It is maximized times a weak prior of leaving.

    Args:
        histories: Days after the first one, all of whole numbers.
        window: Length of the window in days, up to and with now.
    """
    users = choose_evenly(len(histories.x))
    rows = np.column_stack([values[users] for values in histories])
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    chosen = Histories(*distinct.T)

    def loss(parameters: Floats) -> float:
        model = BgBb(*parameters)
        likely = log_likelihood(model, chosen) - _log_included(model, chosen.t, window)
        away = np.log([model.gamma, model.delta]) - np.log(_TYPICAL_LEAVING)
        prior = -0.5 * float(away @ away) / _LEAVING_DEVIATION**2
        return -(float(likely @ counts) + prior) / len(users)

    return BgBb(*minimize_positive(loss, np.array([1.0, 1.0, 0.5, 5.0])).tolist())


def log_likelihood(model: BgBb, histories: Histories) -> Floats:
    """Logarithm of the probability of each history, shape (users,): equation 5.

    It takes as many steps as the longest pause has days.
    """
    from scipy.special import betaln  # noqa: PLC0415  # slow to import

    (alpha, beta, gamma, delta), (x, t_x, t) = model, histories
    alive = _log_alive(model, histories)
    left = betaln(alpha + x, beta + t_x - x) + betaln(gamma + 1, delta + t_x)
    term, total = np.exp(left - alive), np.ones(len(x))
    for day in range(int((t - t_x).max(initial=0))):
        total += np.where(day < t - t_x, term, 0.0)
        stayed_away = (beta + t_x - x + day) / (alpha + beta + t_x + day)
        term = term * stayed_away * (delta + t_x + day) / (gamma + 1 + delta + t_x + day)
    return np.asarray(alive + np.log(total) - betaln(alpha, beta) - betaln(gamma, delta))


def alive_probability(model: BgBb, histories: Histories) -> Floats:
    """Probability that each user has not left by now, shape (users,): equation 11."""
    from scipy.special import betaln  # noqa: PLC0415  # slow to import

    alpha, beta, gamma, delta = model
    whole = log_likelihood(model, histories) + betaln(alpha, beta) + betaln(gamma, delta)
    return np.asarray(np.exp(_log_alive(model, histories) - whole))


def coming_of(model: BgBb, histories: Histories) -> Beta:
    """What each user's history says of the chance of coming on a day, if the user is alive."""
    x, _, t = histories
    return Beta(model.alpha + x, model.beta + t - x)


def leaving_of(model: BgBb, histories: Histories) -> Beta:
    """What each user's history says of the chance of leaving after a day, if the user is alive."""
    return Beta(model.gamma, model.delta + histories.t)


def day_probability(coming: Beta, leaving: Beta, days: int) -> Floats:
    """Probability that a living user comes on any of the next days, shape (users,)."""
    absences = ((coming.b + day) / (coming.a + coming.b + day) for day in range(days))
    return _any_day(absences, leaving)


def day_probability_at(chance: Floats, leaving: Beta, days: int) -> Floats:
    """The same of users whose chance of coming on a day is given, shape (users,)."""
    return _any_day((1 - chance for _ in range(days)), leaving)


def _any_day(absences: Iterable[Parameter], leaving: Beta) -> Floats:
    """Probability that a living user comes on any of the next days, shape (users,).

    Args:
        absences: For each day, the probability of not coming although alive, given that the user
            has not come since now.
        leaving: The chance of leaving after a day.
    """
    nothing: Parameter = 0.0
    absent: Parameter = 1.0
    stayed: Parameter = 1.0
    for day, absence in enumerate(absences):
        rest = leaving.a + leaving.b + day
        nothing = nothing + absent * stayed * leaving.a / rest
        stayed = stayed * (leaving.b + day) / rest
        absent = absent * absence
    return np.clip(1.0 - nothing - absent * stayed, 0.0, 1.0)


def expected_days(coming: Beta, leaving: Beta, days: int) -> Floats:
    """Expected number of the next days on which a living user comes, shape (users,)."""
    stayed: Parameter = 1.0
    lived: Parameter = 0.0
    for day in range(days):
        stayed = stayed * (leaving.b + day) / (leaving.a + leaving.b + day)
        lived = lived + stayed
    return np.asarray(lived * coming.mean)


def fit_shares(hits: Floats, trials: Floats) -> Beta:
    """Fit a beta distribution of each user's share of hits by maximum likelihood.

    Args:
        hits: Number of hits of each user, shape (users,).
        trials: Number of trials, likewise.
    """
    from scipy.special import betaln  # noqa: PLC0415  # slow to import

    users = choose_evenly(len(hits))
    rows = np.column_stack([hits[users], trials[users]])
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    hit, tried = distinct.T

    def loss(parameters: Floats) -> float:
        a, b = parameters
        return -float((betaln(a + hit, b + tried - hit) - betaln(a, b)) @ counts) / len(users)

    return Beta(*minimize_positive(loss, np.array([0.5, 5.0])).tolist())


def _log_alive(model: BgBb, histories: Histories) -> Floats:
    """Logarithm of the probability of each history and of being alive, up to a constant."""
    from scipy.special import betaln  # noqa: PLC0415  # slow to import

    (alpha, beta, gamma, delta), (x, _, t) = model, histories
    return np.asarray(betaln(alpha + x, beta + t - x) + betaln(gamma, delta + t))


def _log_included(model: BgBb, t: Floats, window: int) -> Floats:
    """Logarithm of the probability of a day within the window, by days since the first one."""
    from scipy.special import betaln  # noqa: PLC0415  # slow to import

    alpha, beta, gamma, delta = model
    lengths, place = np.unique(t, return_inverse=True)
    before, ahead = np.maximum(lengths - window, 0).astype(np.intp), np.arange(window + 1)
    ages = np.arange(before[-1] + window + 1)
    lived = np.exp(betaln(gamma, delta + ages) - betaln(gamma, delta))
    left = lived[:-1] - lived[1:]
    never_came = np.exp(betaln(alpha, beta + ahead) - betaln(alpha, beta))
    nothing = left[before[:, None] + ahead[:-1]] @ never_came[:-1]
    included = lived[before] - nothing - lived[before + window] * never_came[-1]
    logarithms = np.log(np.maximum(included, _SMALLEST))
    return np.asarray(np.where(lengths < window, 0.0, logarithms)[place])
