"""When the users of snapshots left, read off the labels of later snapshots.

The rule of this module: a user has left by the first snapshot whose label is positive. Users who
are missing from a snapshot were not active for the whole time in which users count as active; if
their label was negative a step before, they came back later, so that their label is negative again.

Scope: following users from each snapshot through the next ones.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.core.models.arrays import Labels
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.open_days import count_open_days
from ds_assets.core.targets import Target


class Followed(NamedTuple):
    """When the users of a snapshot left, in their order.

    Attributes:
        steps: Steps to the snapshot by which they had left, 0 for the snapshot itself; for others
            the steps over which they were followed, shape (users,).
        has_left: Whether they had left by then, shape (users,).
    """

    steps: NDArray[np.intp]
    has_left: Labels


def can_follow(target: Target) -> bool:
    """Whether users who are missing from a snapshot are known not to have left by it."""
    return target.active_days >= target.step


def follow_users(snapshots: Sequence[LabelledSnapshot], target: Target) -> list[Followed]:
    """Follow the users of each snapshot until a snapshot is missing, or there is no later one.

    Args:
        snapshots: Ascending by day, with labels as they are known on one day.
        target: A target that `can_follow`, whose positive users have left.
    """
    sizes = [len(snapshot.labels) for snapshot in snapshots]
    ids = np.concatenate([snapshot.labels.index.to_numpy(dtype=object) for snapshot in snapshots])
    codes, users = pd.factorize(ids)
    rows = np.split(codes, np.cumsum(sizes)[:-1])
    has_left = np.zeros((len(users), len(snapshots)), dtype=bool)
    for place, (snapshot, own) in enumerate(zip(snapshots, rows, strict=True)):
        has_left[own, place] = snapshot.outcomes
    ends = _find_ends(snapshots, target.step)
    return [
        _first_positive(has_left[own, place:end])
        for place, (own, end) in enumerate(zip(rows, ends, strict=True))
    ]


def find_step_days(snapshots: Sequence[LabelledSnapshot], target: Target) -> float:
    """Mean number of open days from one snapshot to the next.

    Args:
        snapshots: At least two, ascending by day.
        target: Its closed days, and the days between its snapshots.
    """
    first, last = snapshots[0].day, snapshots[-1].day
    open_days = count_open_days(first, last, target.closed_days)
    return open_days * target.step / (last - first).days


def _find_ends(snapshots: Sequence[LabelledSnapshot], step: int) -> list[int]:
    """For each snapshot, the place after the last one that follows without a gap."""
    ends = [len(snapshots)]
    for place in range(len(snapshots) - 1, 0, -1):
        is_next = (snapshots[place].day - snapshots[place - 1].day).days == step
        ends.append(ends[-1] if is_next else place)
    return ends[::-1]


def _first_positive(labels: NDArray[np.bool_]) -> Followed:
    """The first positive label of each row, shape (users, snapshots)."""
    has_left = np.asarray(labels.any(axis=1))
    return Followed(np.where(has_left, labels.argmax(axis=1), labels.shape[1] - 1), has_left)
