"""BG/NBD: how often a user will come back, from how often and how recently the user came so far.

While a user is alive, events follow each other after exponential times; after each event but the
first, the user may leave for ever. Rates and chances of leaving differ between users, by a gamma
and a beta distribution. Fader, Hardie and Lee, "Counting Your Customers" the Easy Way: An
Alternative to the Pareto/NBD Model, Marketing Science 24(2), 2005. Symbols are those of the paper.

Scope: rates of events of any kind. What the events are, and amounts, are elsewhere.
"""

from typing import NamedTuple, TypeAlias

import numpy as np

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.maximum_likelihood import choose_evenly, minimize_positive

Parameter: TypeAlias = float | Floats
"""A number for all users, or an array of shape (users,)."""


class Rates(NamedTuple):
    """The distributions of users.

    Attributes:
        r: Shape of the gamma distribution of rates.
        alpha: Its inverse scale, in days.
        a: First parameter of the beta distribution of chances of leaving; not 1.
        b: The second one.
    """

    r: Parameter
    alpha: Parameter
    a: Parameter
    b: Parameter


class Histories(NamedTuple):
    """What is known of each user; each array has the shape (users,).

    Attributes:
        x: Number of events after the first one.
        t_x: Days from the first event to the last one.
        t: Days from the first event to now.
    """

    x: Floats
    t_x: Floats
    t: Floats


def fit_rates(histories: Histories) -> Rates:
    """Fit the distributions to the histories of all users by maximum likelihood."""
    users = choose_evenly(len(histories.x))
    chosen = Histories(*(values[users] for values in histories))

    def loss(parameters: Floats) -> float:
        return -float(log_likelihood(Rates(*parameters), chosen).mean())

    start = np.array([1.0, max(1.0, float(np.median(chosen.t))), 0.8, 2.5])
    return Rates(*minimize_positive(loss, start).tolist())


def log_likelihood(rates: Rates, histories: Histories) -> Floats:
    """Logarithm of the probability density of each history, shape (users,): equation 6."""
    from scipy.special import betaln, gammaln  # noqa: PLC0415  # slow to import

    (r, alpha, a, b), (x, t_x, t) = rates, histories
    times = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stayed = betaln(a, b + x) - (r + x) * np.log(alpha + t)
    repeated = np.maximum(x, 1)
    left = betaln(a + 1, b + repeated - 1) - (r + x) * np.log(alpha + t_x)
    either = np.logaddexp(stayed, np.where(x > 0, left, -np.inf))
    return np.asarray(times + either - betaln(a, b))


def alive_probability(rates: Rates, histories: Histories) -> Floats:
    """Probability that each user has not left, shape (users,).

    Fader, Hardie and Lee, Computing P(alive) Using the BG/NBD Model, 2008.
    """
    from scipy.special import expit  # noqa: PLC0415  # slow to import

    (r, alpha, a, b), (x, t_x, t) = rates, histories
    silence = (r + x) * np.log((alpha + t) / (alpha + t_x))
    log_odds = np.log(b + np.maximum(x, 1) - 1) - np.log(a) - silence
    return np.where(x > 0, expit(log_odds), 1.0)


def event_probability(rates: Rates, histories: Histories, days: float) -> Floats:
    """Probability of at least one event in the next days, shape (users,)."""
    (r, alpha, _, _), (x, _, t) = rates, histories
    waits = ((alpha + t) / (alpha + t + days)) ** (r + x)
    return np.asarray(alive_probability(rates, histories) * (1 - waits))


def expected_events(rates: Rates, histories: Histories, days: float) -> Floats:
    """Expected number of events in the next days, shape (users,): equation 10."""
    from scipy.special import hyp2f1  # noqa: PLC0415  # slow to import

    (r, alpha, a, b), (x, _, t) = rates, histories
    end = alpha + t + days
    waits = ((alpha + t) / end) ** (r + x)
    series = hyp2f1(r + x, b + x, a + b + x - 1, days / end)
    number = (a + b + x - 1) / (a - 1) * (1 - waits * series)
    return np.asarray(number * alive_probability(rates, histories))
