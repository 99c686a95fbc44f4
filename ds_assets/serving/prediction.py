"""The one answer about a user, the same whatever it comes from.

Belongs here: what an answer says, and how it follows from a stored row. Does not belong here: where
rows are looked for (`service.py`), and how an answer travels.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["ok", "not_enough_data", "unknown_user"]
Source = Literal["cache", "table", "live", "none"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is predicted for one user, and where it comes from.

    Attributes:
        user_id: The user, as asked for.
        status: `ok`: there is a probability; `not_enough_data`: the user is known, and has none;
            `unknown_user`: nothing is known, and everything below is none.
        source: Where the row was found; `none` for an unknown user.
        as_of: Day at whose end the prediction was made.
        age_seconds: Seconds since the end of that day.
        churn_probability: Chance of no activity in the churn horizon, 0 to 1.
        payment_probability: Chance of a purchase in the payment horizon, 0 to 1.
        expected_spend: Spend to expect in the payment horizon.
        cluster: Id of the user's cluster.
        cluster_name: What sets the cluster apart.
        user_group: Group of the user, for which models are made.
        churn_reasons: The three strongest reasons of the chance of leaving, as JSON.
        payment_reasons: The three strongest reasons of the chance of a purchase, as JSON.
        churn_missing: What data is missing for a churn prediction, and when it will be enough; none
            where there is one.
        payment_missing: What data is missing for a payment prediction, and when it will be enough;
            none where there is one.
        churn_model: Version of the churn model.
        payment_model: Version of the payment model.
        cluster_model: Version of the cluster model.
    """

    user_id: str
    status: Status
    source: Source
    as_of: dt.date | None = None
    age_seconds: int | None = None
    churn_probability: float | None = None
    payment_probability: float | None = None
    expected_spend: float | None = None
    cluster: int | None = None
    cluster_name: str | None = None
    user_group: str | None = None
    churn_reasons: str | None = None
    payment_reasons: str | None = None
    churn_missing: str | None = None
    payment_missing: str | None = None
    churn_model: str | None = None
    payment_model: str | None = None
    cluster_model: str | None = None


def prediction_of(
    record: Mapping[str, Any], source: Source, now: dt.datetime, zone: dt.tzinfo
) -> Prediction:
    """The answer that a stored row gives.

    Args:
        record: Values by the names of `PREDICTIONS`' columns.
        source: Where it was found.
        now: The time of the answer, with a time zone.
        zone: The game's time zone, in which its days end.
    """
    day_end = dt.datetime.combine(record["as_of"] + dt.timedelta(days=1), dt.time(), zone)
    probabilities = (record["churn_probability"], record["payment_probability"])
    return Prediction(
        status="not_enough_data" if probabilities == (None, None) else "ok",
        source=source,
        # Not now - day_end: in one zone that is the time on its clocks, which may have changed. And
        # not below 0: the live model may answer before its day is over.
        age_seconds=max(0, int(now.timestamp() - day_end.timestamp())),
        **record,
    )


def unknown_user(user_id: str) -> Prediction:
    """The answer for a user of whom nothing is known."""
    return Prediction(user_id, "unknown_user", "none")
