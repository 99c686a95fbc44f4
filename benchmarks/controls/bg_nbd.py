"""What BG/NBD with gamma-gamma says of the users of a log: the standard buy-till-you-die model.

Scope: the fit to the histories that the control reads for itself, and the predictions. The model
is that of `ds_assets.core.models.learning`.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.controls.histories import Floats
from benchmarks.controls.histories import Histories as Log
from benchmarks.controls.strong_baseline import Task
from ds_assets.core.models.learning.bg_nbd import (
    Histories,
    event_probability,
    expected_events,
    fit_rates,
)
from ds_assets.core.models.learning.gamma_gamma import expected_amounts, fit_amounts


@dataclass(frozen=True)
class Forecast:
    """What the fitted model says of the users of a task, in their order.

    Attributes:
        probabilities: Of at least one day with a purchase (or with activity) in the horizon.
        spend: Expected in the horizon.
    """

    probabilities: Floats
    spend: Floats


def forecast(task: Task, log: Log) -> Forecast:
    """Fit the model to the days with purchases, or for churn with activity, of all users.

    Users without any such day have a probability of 0.
    """
    rows = log.seen_on(task.day)
    rows = rows[rows["activities" if task.target == "churn" else "purchases"] > 0]
    now = log.open_number(task.day) + 1
    users = rows.groupby("user").agg(
        first=("open", "min"), last=("open", "max"), days=("open", "size"), spend=("spend", "sum")
    )
    first, last, number, total = (users[name].to_numpy(np.float64) for name in users.columns)
    histories = Histories(number - 1, last - first, now - first)
    rates, amounts = fit_rates(histories), fit_amounts(number, total)
    probabilities, spend = np.zeros((2, len(log.users)))
    probabilities[users.index] = event_probability(rates, histories, task.horizon)
    if amounts is not None:
        purchases = expected_events(rates, histories, task.horizon)
        spend[users.index] = purchases * expected_amounts(amounts, number, total)
    if task.target == "churn":
        probabilities = 1 - probabilities
    return Forecast(probabilities[task.users], spend[task.users])
