"""Curves of cohorts by age: what users of each value have spent, how many stay, and the payback.

The cohorts of all weeks with one value are read together. At each age only the cohorts count whose
youngest users have reached it, so that a curve does not sag at its end: what they add at the age is
divided by their users, and the curve is the sum up to the age. Like the estimator of Nelson and
Aalen of a cumulative hazard, it uses every cohort for as long as it is observed.

Scope: numbers. `cohort_pictures` draws them.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ds_assets.core.cohorts import OTHER

MIN_USERS_PER_AGE = 30
"""A curve ends where fewer users have reached the age: a single purchase would move it."""
_LAST_JOINING_DAY = 6
"""Days from the first day of a cohort to the last one on which users join it."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CohortCurve:
    """What users with one value did by age, over all cohorts.

    Attributes:
        value: The value.
        users: Users of all cohorts.
        spend: Spend per user up to and with each age in days, from 0 on.
        retention: Share of users that were active at each age.
        payers: Share of users with a purchase up to and with each age.
        cost: What a user cost; none where game.yaml has no cost.
    """

    value: str
    users: int
    spend: Floats
    retention: Floats
    payers: Floats
    cost: float | None

    @property
    def payback_days(self) -> int | None:
        """First age at which the spend per user covers the cost; none before that."""
        if self.cost is None:
            return None
        ages = np.flatnonzero(self.spend >= self.cost)
        return int(ages[0]) if len(ages) else None

    @property
    def paid_back_share(self) -> float | None:
        """Share of the cost that the spend per user covers at the last age."""
        return float(self.spend[-1] / self.cost) if self.cost is not None else None

    def at(self, numbers: Floats, age_days: int) -> float | None:
        """The number at an age; none where the curve has ended."""
        return float(numbers[age_days]) if age_days < len(numbers) else None


def compute_curves(rows: pd.DataFrame, newest: dt.date) -> list[CohortCurve]:
    """Compute a curve for each value, the one with the most users first and `other` last.

    A value that no age has `MIN_USERS_PER_AGE` users of has none.

    Args:
        rows: The columns of `COHORTS`, of all days up to the newest one; of cohorts whose first
            days are missing there must be none, see `select_whole_cohorts`.
        newest: The newest day.
    """
    if rows.empty:
        return []
    observed = (pd.Timestamp(newest) - pd.to_datetime(rows["cohort"])).dt.days - _LAST_JOINING_DAY
    of_values = rows.assign(observed=observed).groupby("value", sort=True)
    curves = [_compute_curve(str(value), of_value) for value, of_value in of_values]
    drawn = [curve for curve in curves if len(curve.spend)]
    return sorted(drawn, key=lambda curve: (curve.value == OTHER, -curve.users, curve.value))


def select_whole_cohorts(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the cohorts that began on the oldest of the days or later."""
    return rows[rows["cohort"] >= rows["as_of"].min()] if len(rows) else rows


def _compute_curve(value: str, rows: pd.DataFrame) -> CohortCurve:
    users_reaching = _users_by_age(rows)
    ages = len(users_reaching)
    counted = rows[(rows["age_days"] <= rows["observed"]) & (rows["age_days"] < ages)]

    def per_user(name: str) -> Floats:
        added = np.bincount(counted["age_days"], weights=counted[name], minlength=ages)
        return np.asarray(added / users_reaching)

    return CohortCurve(
        value,
        int(rows["users"].sum()),
        spend=np.cumsum(per_user("spend")),
        retention=per_user("active_users"),
        payers=np.cumsum(per_user("payers")),
        cost=_mean_cost(rows),
    )


def _users_by_age(rows: pd.DataFrame) -> Floats:
    """Users whose cohort has reached each age, from 0 on, as long as there are enough."""
    users = rows.groupby("observed")["users"].sum()
    users = users[users.index >= 0]
    if users.empty:
        return np.zeros(0)
    by_age = np.bincount(users.index, weights=users)[::-1].cumsum()[::-1]
    return np.asarray(by_age[by_age >= MIN_USERS_PER_AGE])


def _mean_cost(rows: pd.DataFrame) -> float | None:
    with_cost: Any = rows[rows["cost_per_user"].notna()]
    users = with_cost["users"].sum()
    if users <= 0:
        return None
    return float((with_cost["users"] * with_cost["cost_per_user"]).sum() / users)
