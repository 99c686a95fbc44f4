"""BG/NBD with gamma-gamma: the standard buy-till-you-die model, fitted by maximum likelihood.

Scope: the posterior of a user's history, the fit to all users of a log, and the predictions.
Fader, Hardie and Lee, "Counting Your Customers" the Easy Way, 2005; Fader and Hardie, The
Gamma-Gamma Model of Monetary Value, 2013. Symbols are those of the papers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from benchmarks.controls.histories import Floats, Histories, Ints
from benchmarks.controls.strong_baseline import Task

MAX_FITTED_USERS = 5_000
Parameters: TypeAlias = float | Floats
"""A number for all users, or one for each."""


@dataclass(frozen=True)
class Posterior:
    """BG/NBD given each user's history.

    Attributes:
        r: Shape of the gamma distribution of rates.
        alpha: Its inverse scale.
        a: First parameter of the beta distribution of chances of leaving; not 1.
        b: The second one.
        x: Repeated purchases.
        t_x: Time from the first purchase to the last.
        t: Time from the first purchase to now.
    """

    r: Parameters
    alpha: Parameters
    a: Parameters
    b: Parameters
    x: Floats
    t_x: Floats
    t: Floats

    def is_alive(self) -> Floats:
        """Probability of not having left."""
        later = ((self.alpha + self.t) / (self.alpha + self.t_x)) ** (self.r + self.x)
        odds = self.a / (self.b + np.maximum(self.x, 1) - 1) * later
        return np.where(self.x > 0, 1 / (1 + odds), 1.0)

    def buys_within(self, days: int) -> Floats:
        """Probability of a purchase in the next days: the next comes after an exponential time."""
        waits = ((self.alpha + self.t) / (self.alpha + self.t + days)) ** (self.r + self.x)
        return np.asarray(self.is_alive() * (1 - waits))

    def expected_purchases(self, days: int) -> Floats:
        """Expected number of purchases in the next days: equation 10."""
        from scipy.special import hyp2f1  # noqa: PLC0415  # slow to import

        a, b, x, end = self.a, self.b, self.x, self.alpha + self.t + days
        waits = ((self.alpha + self.t) / end) ** (self.r + x)
        series = hyp2f1(self.r + x, b + x, a + b + x - 1, days / end)
        return np.asarray((a + b + x - 1) / (a - 1) * (1 - waits * series) * self.is_alive())

    def log_likelihood(self) -> Floats:
        """Logarithm of the probability density of each history: equation 6."""
        from scipy.special import betaln, gammaln  # noqa: PLC0415  # slow to import

        r, alpha, a, b, x = self.r, self.alpha, self.a, self.b, self.x
        rates = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        stays = betaln(a, b + x) - (r + x) * np.log(alpha + self.t)
        repeated = np.maximum(x, 1)
        left = betaln(a + 1, b + repeated - 1) - (r + x) * np.log(alpha + self.t_x)
        either = np.logaddexp(stays, np.where(x > 0, left, -np.inf))
        return np.asarray(rates + either - betaln(a, b))


@dataclass(frozen=True)
class Forecast:
    """What the fitted model says of the users of a task, in their order.

    Attributes:
        probabilities: Of at least one day with a purchase (or with activity) in the horizon.
        spend: Expected in the horizon.
    """

    probabilities: Floats
    spend: Floats


def forecast(task: Task, histories: Histories) -> Forecast:
    """Fit the model to the days with purchases, or for churn with activity, of all users.

    Users without any such day have a probability of 0.
    """
    rows = histories.seen_on(task.day)
    rows = rows[rows["activities" if task.target == "churn" else "purchases"] > 0]
    now = histories.open_number(task.day) + 1
    users = rows.groupby("user").agg(
        first=("open", "min"), last=("open", "max"), days=("open", "size"), spend=("spend", "sum")
    )
    x = users["days"].to_numpy(np.float64) - 1
    t_x = (users["last"] - users["first"]).to_numpy(np.float64)
    t = now - users["first"].to_numpy(np.float64)
    r, alpha, a, b = _fit_rates(x, t_x, t)
    posterior = Posterior(r, alpha, a, b, x, t_x, t)
    amounts = _expected_amounts(x + 1, users["spend"].to_numpy(np.float64))
    probabilities, spend = np.zeros((2, len(histories.users)))
    probabilities[users.index] = posterior.buys_within(task.horizon)
    spend[users.index] = posterior.expected_purchases(task.horizon) * amounts
    if task.target == "churn":
        probabilities = 1 - probabilities
    return Forecast(probabilities[task.users], spend[task.users])


def _fit_rates(x: Floats, t_x: Floats, t: Floats) -> Floats:
    """r, alpha, a and b."""
    users = _sample(len(x))
    histories = x[users], t_x[users], t[users]

    def loss(parameters: Floats) -> float:
        r, alpha, a, b = parameters
        return -float(Posterior(r, alpha, a, b, *histories).log_likelihood().mean())

    return _minimize(loss, np.array([1.0, float(np.median(t)), 0.8, 2.5]))


def _expected_amounts(n: Floats, spend: Floats) -> Floats:
    """Mean amount of each user by the gamma-gamma model, given the number and sum of amounts."""
    from scipy.special import gammaln  # noqa: PLC0415  # slow to import

    pays = np.flatnonzero(spend > 0)
    if not len(pays):
        return np.zeros(len(n))
    chosen = pays[_sample(len(pays))]
    count, mean = n[chosen], spend[chosen] / n[chosen]

    def loss(parameters: Floats) -> float:
        p, q, gamma = parameters
        shape = p * count
        density = (
            gammaln(shape + q)
            - gammaln(shape)
            - gammaln(q)
            + q * np.log(gamma)
            + (shape - 1) * np.log(mean)
            + shape * np.log(count)
            - (shape + q) * np.log(gamma + count * mean)
        )
        return -float(density.mean())

    p, q, gamma = _minimize(loss, np.array([4.0, 3.0, float(np.median(mean))]))
    return np.asarray(p * (gamma + np.maximum(spend, 0)) / (p * n + max(q, 1.05) - 1))


def _sample(users: int) -> Ints:
    """At most so many users as the fit needs, evenly."""
    return np.linspace(0, users - 1, min(users, MAX_FITTED_USERS)).astype(np.int64)


def _minimize(loss: Callable[[Floats], float], start: Floats) -> Floats:
    """Positive parameters with the least loss, bounded because data may not bound them."""
    from scipy.optimize import minimize  # noqa: PLC0415  # slow to import

    bounds = [(np.log(1e-4), np.log(1e6))] * len(start)

    def loss_of_logs(logs: Floats) -> float:
        return loss(np.exp(logs))

    result = minimize(loss_of_logs, np.log(start), bounds=bounds)
    return np.asarray(np.exp(result.x))
