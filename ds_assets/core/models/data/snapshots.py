"""Labelled snapshots, and which of them train and validate a model.

The rule of this module: a label is used only once its window is over, and a model is never
validated on a day that it, its labels or its clusters have seen.

Scope: the order of snapshots in time, and what was known of each on which day.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.core.encoding import USER_ID
from ds_assets.core.models.arrays import Labels
from ds_assets.core.user_samples import are_sampled

FOLDS = 3
"""Validation snapshots that are reported: how good a model is differs from week to week."""


@dataclass(frozen=True)
class Revision:
    """What was known of a snapshot's users on an earlier day, each indexed by user_id.

    Attributes:
        columns: Columns of the features that depend on the day: the cluster and the user group.
        labels: The labels, made from the logs that had arrived by then.
        spend: The spend, likewise; None if the target has no amount.
    """

    columns: pd.DataFrame
    labels: pd.Series
    spend: pd.Series | None = None

    def rows(self, chosen: NDArray[np.bool_]) -> "Revision":
        """Select users."""
        spend = None if self.spend is None else self.spend[chosen]
        return Revision(self.columns[chosen], self.labels[chosen], spend)

    def sort(self, users: pd.Index) -> "Revision":
        """Put users into the order of the features."""
        return Revision(
            self.columns.reindex(users),
            self.labels.reindex(users).astype(bool),
            _sort_spend(self.spend, users),
        )


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
        revisions: What was known on earlier days, where that may differ, by day: logs arrive late,
            and each day has its own clusters.
        filling: Features whose windows began before the first day of logs.
        sums: Features that are sums over a trailing window, with its length in days.
        logged_days: Days of logs up to and with the day; not used without sums.
    """

    day: dt.date
    features: pd.DataFrame
    labels: pd.Series
    matured_on: dt.date
    spend: pd.Series | None = None
    revisions: Mapping[dt.date, Revision] = field(default_factory=dict)
    filling: frozenset[str] = frozenset()
    sums: Mapping[str, int] = field(default_factory=dict)
    logged_days: int = 0

    @property
    def outcomes(self) -> Labels:
        """The labels in the order of the features, shape (users,)."""
        return self.labels.to_numpy(dtype=bool)

    def rows(self, chosen: NDArray[np.bool_]) -> "LabelledSnapshot":
        """Select users, with everything known about them."""
        return replace(
            self,
            features=self.features[chosen],
            labels=self.labels[chosen],
            spend=None if self.spend is None else self.spend[chosen],
            revisions={day: revision.rows(chosen) for day, revision in self.revisions.items()},
        )

    def as_known_on(self, day: dt.date) -> "LabelledSnapshot":
        """The snapshot as a model that is trained at the end of a day sees it."""
        revision = self.revisions.get(day)
        if revision is None:
            return replace(self, revisions={})
        columns = {str(name): column.array for name, column in revision.columns.items()}
        return replace(
            self,
            features=self.features.assign(**columns),
            labels=revision.labels,
            spend=revision.spend,
            revisions={},
        )

    def scale_windows(self, day: dt.date) -> "LabelledSnapshot":
        """Scale sums over windows that were filling to the length of the windows on a later day.

        In the first weeks of logs a window holds more days from snapshot to snapshot, so that users
        who do not change seem to play more and more. A model that learnt from such sums would take
        the users of a later day for busier ones than they are.
        """
        later_days = self.logged_days + (day - self.day).days
        scaled = {
            name: self.features[name] * (min(window, later_days) / self.logged_days)
            for name, window in self.sums.items()
            if window > self.logged_days
        }
        return replace(self, features=self.features.assign(**scaled)) if scaled else self

    def for_validation(self, known_on: dt.date | None) -> "LabelledSnapshot":
        """The snapshot as predictions of its day saw it, with its outcomes as known on a later day.

        Args:
            known_on: The later day; None for the training day.
        """
        outcomes = self if known_on is None else self.as_known_on(known_on)
        own = self.as_known_on(self.day)
        return replace(own, labels=outcomes.labels, spend=outcomes.spend)


@dataclass(frozen=True)
class Fold:
    """A validation snapshot, and the snapshots whose labels were known on its day, as known then.

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


def validation_days(matured_on: Mapping[dt.date, dt.date]) -> dict[dt.date, dt.date | None]:
    """Days of the snapshots that validate models, the latest first.

    They are the latest `FOLDS`, which are reported, and the latest one whose outcomes were known on
    the day of the first of them, on which choices are made.

    Args:
        matured_on: By snapshot, the day at whose end its labels were known.

    Returns:
        By day, the later day as of which its outcomes are used; None for the training day.
    """
    ordered = sorted(matured_on, reverse=True)
    days: dict[dt.date, dt.date | None] = dict.fromkeys(ordered[:FOLDS])
    chosen_on = choice_day(matured_on)
    if chosen_on is not None:
        days[chosen_on] = ordered[0]
    return dict(sorted(days.items(), reverse=True))


def choice_day(matured_on: Mapping[dt.date, dt.date]) -> dt.date | None:
    """Day of the snapshot on which choices are made for a model that is validated on the latest.

    Its outcomes were known on the day of the latest; None where there is no such snapshot.
    """
    return _find_known_before(max(matured_on), matured_on) if matured_on else None


def folds(snapshots: Sequence[LabelledSnapshot]) -> list[Fold]:
    """Rolling out-of-time splits, that of the latest snapshot first.

    Args:
        snapshots: Ascending by day.

    Returns:
        A fold for each of the `validation_days` that has at least one snapshot to train on.
    """
    by_day = {snapshot.day: snapshot for snapshot in snapshots}
    usable = []
    matured_on = {snapshot.day: snapshot.matured_on for snapshot in snapshots}
    for day, known_on in validation_days(matured_on).items():
        training = tuple(
            snapshot.as_known_on(day).scale_windows(day)
            for snapshot in snapshots
            if snapshot.matured_on <= day
        )
        if training:
            usable.append(Fold(training, by_day[day].for_validation(known_on)))
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
    share = most_rows / rows
    return [snapshot.rows(are_sampled(snapshot.features[USER_ID], share)) for snapshot in snapshots]


def _find_known_before(day: dt.date, matured_on: Mapping[dt.date, dt.date]) -> dt.date | None:
    """The latest snapshot whose labels were known at the end of a day."""
    return max((own for own, known_on in matured_on.items() if known_on <= day), default=None)


def _sort_by_user(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    features = snapshot.features
    if not features[USER_ID].is_monotonic_increasing:  # as stored features are
        features = features.sort_values(USER_ID)
    features = features.reset_index(drop=True)
    users, labels = features[USER_ID], snapshot.labels
    if not users.is_unique or not labels.index.is_unique or set(users) != set(labels.index):
        raise ValueError(
            f"snapshot {snapshot.day} needs one row and one label for each of its users; "
            f"found {len(users)} rows and {len(labels)} labels"
        )
    order = pd.Index(users)
    return replace(
        snapshot,
        features=features,
        labels=labels.reindex(order).astype(bool),
        spend=_sort_spend(snapshot.spend, order),
        revisions={day: revision.sort(order) for day, revision in snapshot.revisions.items()},
    )


def _sort_spend(spend: pd.Series | None, users: pd.Index) -> pd.Series | None:
    return None if spend is None else spend.reindex(users).fillna(0.0).astype(float)


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
