"""When users left, read from the log in the simplest way.

Scope: following users from a day on, and the first pause of a horizon. Nothing here uses the labels
of training snapshots.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from benchmarks.controls.histories import Flags, Histories, Ints, days_since_1970

WEEK = dt.timedelta(weeks=1)


@dataclass(frozen=True)
class Departures:
    """When users left after a day, in open days.

    Attributes:
        days: To the last active day before the first weekly check at which a user had left; to the
            last check for the others, shape (users,).
        has_left: Whether the user had left at a check, shape (users,).
        followed: Open days to the last check.
        in_first_pause: Share of the users whose first pause of a horizon was over before a check,
            so that they left later, or not at all.
    """

    days: Ints
    has_left: Flags
    followed: int
    in_first_pause: float


def find_departures(
    histories: Histories, users: Ints, day: dt.date, horizon: int, until: dt.date
) -> Departures:
    """Follow users from a day to the last weekly check whose horizon had matured on another day.

    Args:
        histories: The log.
        users: The users, as places in the users of the histories.
        day: The first check.
        horizon: Open days without activity after which a user has left.
        until: Day up to which logs had arrived.

    Raises:
        ValueError: the horizon of the first check had not matured.
    """
    checks = _list_checks(histories, day, horizon, until)
    if not checks:
        raise ValueError(f"nothing after {day} has matured on {until}")
    active, last = _activity_after(histories, users, day, until), checks[-1]
    has_left, days = np.zeros(len(users), bool), np.full(len(users), last)
    for check in checks:
        leaves = ~active[:, check : check + horizon].any(axis=1) & ~has_left
        days[leaves] = _count_to_last(active[leaves, :check])
        has_left |= leaves
    pauses = np.zeros(len(users), bool)
    for number in range(last + 1):
        begins = active[:, number - 1] if number else np.ones(len(users), bool)
        is_pause = begins & ~active[:, number : number + horizon].any(axis=1)
        pauses |= is_pause & (number < days)
    return Departures(days, has_left, last, float(pauses.mean()))


def _list_checks(histories: Histories, day: dt.date, horizon: int, until: dt.date) -> list[int]:
    """Open days from a day to each weekly check that had matured."""
    now = histories.open_number(day)
    limit = histories.open_number(until) - horizon - histories.game.grace_days
    checks = []
    while (number := histories.open_number(day)) <= limit:
        checks.append(number - now)
        day += WEEK
    return checks


def _activity_after(histories: Histories, users: Ints, day: dt.date, until: dt.date) -> Flags:
    """Whether users were active on each open day after a day, shape (users, days)."""
    now, end = histories.open_number(day), histories.open_number(until)
    rows = histories.rows
    rows = rows[(rows["activities"] > 0) & (rows["arrival"] <= days_since_1970(until))]
    rows = rows[(rows["open"] > now) & (rows["open"] <= end)]
    place = np.full(len(histories.users), -1)
    place[users] = np.arange(len(users))
    of_user = place[rows["user"]]
    active = np.zeros((len(users), end - now), dtype=bool)
    is_chosen = of_user >= 0
    active[of_user[is_chosen], rows["open"].to_numpy()[is_chosen] - now - 1] = True
    return active


def _count_to_last(active: Flags) -> Ints:
    """Days up to the last active one, 0 without any, shape (users,)."""
    if not active.shape[1]:
        return np.zeros(len(active), np.int64)
    last = active.shape[1] - active[:, ::-1].argmax(axis=1)
    return np.where(active.any(axis=1), last, 0)
