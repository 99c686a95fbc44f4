"""Labelled snapshots, and which of them train and validate a model.

The rule of this module: a label is used only once its window is over, and a model is never
validated on a day that it, or its labels, have seen.

Scope: the order of snapshots in time.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.core.encoding import USER_ID
from ds_assets.core.models.arrays import Labels


@dataclass(frozen=True)
class LabelledSnapshot:
    """Features of a day and the outcomes after it.

    Attributes:
        day: Day of the features.
        features: Features frame, one row per user.
        labels: One boolean for each user of the features, indexed by user_id.
        matured_on: Day at whose end the labels were known: end of the label window plus grace.
        spend: Spend of each user in the label window, indexed by user_id; None if the target has no
            amount.
    """

    day: dt.date
    features: pd.DataFrame
    labels: pd.Series
    matured_on: dt.date
    spend: pd.Series | None = None

    @property
    def outcomes(self) -> Labels:
        """The labels in the order of the features, shape (users,)."""
        return self.labels.to_numpy(dtype=bool)

    def rows(self, chosen: NDArray[np.bool_]) -> "LabelledSnapshot":
        """Select users, with everything known about them."""
        spend = None if self.spend is None else self.spend[chosen]
        return LabelledSnapshot(
            self.day, self.features[chosen], self.labels[chosen], self.matured_on, spend
        )


@dataclass(frozen=True)
class Fold:
    """A validation snapshot, and the snapshots whose labels were known on its day.

    A model trained on the latter and validated on the former is validated as it will be used.
    """

    training: tuple[LabelledSnapshot, ...]
    validation: LabelledSnapshot


def in_order(
    snapshots: Iterable[LabelledSnapshot], horizon: int, as_of: dt.date
) -> list[LabelledSnapshot]:
    """Snapshots ascending by day, each with its users ascending.

    Args:
        snapshots: Matured snapshots, in any order.
        horizon: Length of the label window, in days.
        as_of: Training day.

    Raises:
        ValueError: a snapshot has not matured on `as_of`, is there twice, or has labels of other
            users than its features.
    """
    ordered = [
        _sort_by_user(snapshot) for snapshot in sorted(snapshots, key=lambda snapshot: snapshot.day)
    ]
    for snapshot in ordered:
        _refuse_wrong_maturity(snapshot, horizon, as_of)
    if len({snapshot.day for snapshot in ordered}) < len(ordered):
        raise ValueError("each snapshot can be given only once")
    return ordered


def folds(snapshots: Sequence[LabelledSnapshot], most: int) -> list[Fold]:
    """Rolling out-of-time splits, that of the latest snapshot first.

    Args:
        snapshots: Ascending by day.
        most: Maximum number of folds.

    Returns:
        A fold for each of the latest snapshots that has at least one to train on.
    """
    usable = []
    for validation in list(reversed(snapshots))[:most]:
        training = tuple(
            snapshot for snapshot in snapshots if snapshot.matured_on <= validation.day
        )
        if training:
            usable.append(Fold(training, validation))
    return usable


def sampled(snapshots: Sequence[LabelledSnapshot], most_rows: int) -> list[LabelledSnapshot]:
    """Sample the same users in all snapshots, to bound the number of rows.

    Args:
        snapshots: Any snapshots.
        most_rows: Expected maximum of the rows of all snapshots together; sampling may add some.
    """
    rows = sum(len(snapshot.labels) for snapshot in snapshots)
    if rows <= most_rows:
        return list(snapshots)
    bound = np.uint64(int(most_rows / rows * 2**64))
    return [snapshot.rows(_hashes(snapshot.features[USER_ID]) < bound) for snapshot in snapshots]


def _hashes(users: pd.Series) -> NDArray[np.uint64]:
    """Hash of each id, the same on every day."""
    return pd.util.hash_array(users.to_numpy(dtype=object), categorize=False)


def _sort_by_user(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    features = snapshot.features.sort_values(USER_ID, ignore_index=True)
    users, labels = features[USER_ID], snapshot.labels
    if not users.is_unique or not labels.index.is_unique or set(users) != set(labels.index):
        raise ValueError(
            f"snapshot {snapshot.day} needs one row and one label for each of its users; "
            f"found {len(users)} rows and {len(labels)} labels"
        )
    order = pd.Index(users)
    spend = snapshot.spend
    return LabelledSnapshot(
        snapshot.day,
        features,
        labels.reindex(order).astype(bool),
        snapshot.matured_on,
        None if spend is None else spend.reindex(order).fillna(0.0).astype(float),
    )


def _refuse_wrong_maturity(snapshot: LabelledSnapshot, horizon: int, as_of: dt.date) -> None:
    if snapshot.matured_on > as_of:
        raise ValueError(
            f"labels of snapshot {snapshot.day} mature on {snapshot.matured_on}, after the "
            f"training day {as_of}; they cannot be used"
        )
    if snapshot.matured_on < snapshot.day + dt.timedelta(days=horizon):
        raise ValueError(
            f"labels of snapshot {snapshot.day} cannot have matured on {snapshot.matured_on}: "
            f"their horizon is {horizon} days"
        )
