"""Snapshots as the numeric arrays that a learner reads.

Scope: stacking encoded snapshots, with labels, groups and spend of each row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.encoding import USER_GROUP, Encoding, encode, fit_encoding, predict_others
from ds_assets.core.first_days import FIRST_DAYS, is_new, is_row_new
from ds_assets.core.models.arrays import Floats, Labels, Matrix
from ds_assets.core.models.data.snapshots import LabelledSnapshot

NO_FEATURES = Encoding(features=())


@dataclass(frozen=True)
class Rows:
    """Rows of one or more snapshots.

    Attributes:
        matrix: Encoded features, shape (rows, features).
        labels: Outcomes, shape (rows,).
        groups: Group of each user, an empty string for none, shape (rows,).
        spend: Spend of each user, shape (rows,); None if the target has no amount.
        ages: Number of snapshots after that of each row, shape (rows,).
        encoding: The encoding of the matrix.
    """

    matrix: Matrix
    labels: Labels
    groups: NDArray[np.object_]
    spend: Floats | None
    ages: NDArray[np.intp]
    encoding: Encoding = NO_FEATURES

    def predict(self, predict: Callable[[Matrix], Floats]) -> Floats:
        """Apply a model as it is applied to new users; see `predict_others`."""
        return predict_others(self.matrix, self.encoding, predict)

    def chosen(self, which: NDArray[np.bool_]) -> "Rows":
        """Select rows."""
        spend = None if self.spend is None else self.spend[which]
        return Rows(
            self.matrix[which],
            self.labels[which],
            self.groups[which],
            spend,
            self.ages[which],
            self.encoding,
        )

    def members(self, group: str) -> NDArray[np.bool_]:
        """Which rows are of a user group, or of users in some of their first days."""
        if group not in FIRST_DAYS:
            return np.asarray(self.groups == group)
        return is_row_new(group, self.matrix, self.encoding)

    def of_group(self, group: str) -> "Rows":
        """Select the rows of `members`."""
        return self.chosen(self.members(group))


def rows_of(snapshots: Sequence[LabelledSnapshot], encoding: Encoding) -> Rows:
    """Stack the rows of at least one snapshot.

    Args:
        snapshots: Ascending by day.
        encoding: The encoding of their features.
    """
    sizes = [len(snapshot.labels) for snapshot in snapshots]
    spends = [
        None if snapshot.spend is None else snapshot.spend.to_numpy() for snapshot in snapshots
    ]
    present = [spend for spend in spends if spend is not None]
    return Rows(
        np.concatenate([encode(snapshot.features, encoding) for snapshot in snapshots]),
        np.concatenate([snapshot.outcomes for snapshot in snapshots]),
        np.concatenate([groups_of(snapshot) for snapshot in snapshots]),
        np.concatenate(present) if len(present) == len(spends) else None,
        np.repeat(np.arange(len(snapshots))[::-1], sizes),
        encoding,
    )


def groups_of(snapshot: LabelledSnapshot) -> NDArray[np.object_]:
    """Group of each user of a snapshot, an empty string for none."""
    return snapshot.features[USER_GROUP].fillna("").to_numpy(dtype=object)


def members_of(snapshot: LabelledSnapshot, group: str) -> NDArray[np.bool_]:
    """Which users of a snapshot are of a group, or in some of their first days."""
    if group not in FIRST_DAYS:
        return np.asarray(groups_of(snapshot) == group)
    return is_new(group, snapshot.features)


def encoding_of(snapshots: Sequence[LabelledSnapshot]) -> Encoding:
    """Fit the encoding to the rows of snapshots."""
    return fit_encoding([snapshot.features for snapshot in snapshots])


def complete_windows(snapshots: Sequence[LabelledSnapshot]) -> dict[str, NDArray[np.bool_]]:
    """By feature, which rows of stacked snapshots had a complete window, shape (rows,).

    Without the features whose windows were complete in all of them.
    """
    sizes = [len(snapshot.labels) for snapshot in snapshots]
    filling = frozenset().union(*(snapshot.filling for snapshot in snapshots))
    return {
        name: np.repeat([name not in snapshot.filling for snapshot in snapshots], sizes)
        for name in filling
    }
