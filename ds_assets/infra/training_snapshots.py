"""Labelled snapshots of a target, read from the lake.

Where there are more users than are trained on, a sample of them is read, the same users in all
snapshots, so that memory and time are bounded.

Scope: reading features, labels and clusters, each as known on the days that look at them.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import pandas as pd

from ds_assets.core import labels
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.encoding import CLUSTER, USER_GROUP, USER_ID
from ds_assets.core.feature_catalog import count_logged_days, find_filling_features, find_sums
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.models.data.populations import PURCHASE_AGO, in_population
from ds_assets.core.models.data.snapshots import LabelledSnapshot, Revision, validation_days
from ds_assets.core.models.inference.batch import with_clusters
from ds_assets.core.models.inference.onnx_model import Model
from ds_assets.core.targets import Target
from ds_assets.core.user_groups import with_user_groups
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.labels import StoredActivity, labels_of, outcomes_of
from ds_assets.infra.lake.base import Lake, LakeObject
from ds_assets.infra.lake.models import Warn, day_model
from ds_assets.infra.lake.tables import count_rows, read_columns, read_sample

MAX_ROWS = 300_000
"""Rows of all snapshots together beyond which a sample of the users is read: more of the same users
teach next to nothing, and cost as much."""
_KEPT_SNAPSHOTS = 16
_DIGITS = 2
"""Digits of a share: the queries of one that is the same on most days are planned once."""

Looks = Mapping[dt.date, Sequence[dt.date]]
"""Matured snapshots by the day at whose end one looks at their outcomes."""
Spend = Mapping[dt.date, Mapping[dt.date, pd.Series]]
"""Spend of the users who reached the target's measure, by these days and snapshots."""


class LabelledSnapshots(NamedTuple):
    """Matured snapshots, and the days that look at them without clusters, although others have."""

    snapshots: Sequence[LabelledSnapshot]
    unclustered: tuple[dt.date, ...]


@dataclass(frozen=True)
class SnapshotReader:
    """Reads the snapshots of training days.

    Attributes:
        target: What is predicted.
        activity: Days of stored activity, in which the target's events are counted.
        share: Share of all users that is read; see `find_share`.
        lake: Where they lie.
        engine: Engine that reads outcomes.
        game: Its grace for late logs.
        warn: Receives a sentence about clusters that cannot be read.
    """

    target: Target
    activity: Mapping[dt.date, LakeObject]
    share: float
    lake: Lake
    engine: LakeEngine
    game: Game
    warn: Warn

    @cached_property
    def read_features(self) -> Callable[[dt.date], pd.DataFrame]:
        """Read the features of a day; those of the latest are kept."""
        return lru_cache(_KEPT_SNAPSHOTS)(self._read_features)

    def count_bytes(self, snapshots: Sequence[dt.date]) -> int:
        """Bytes of stored activity that the outcomes of snapshots are read from."""
        horizon = self.target.horizon
        windows = (labels.label_days(snapshot, horizon, self.game) for snapshot in snapshots)
        return sum(self.activity[day].size for window in windows for day in window)

    def find_outcomes(self, looks: Looks) -> Spend:
        """Outcomes of snapshots, each as known on the days that look at them."""
        activity = StoredActivity(list(self.activity), self.share)
        return outcomes_of(self.target, looks, activity, self.lake, self.engine, self.game)

    def label(self, day: dt.date, snapshots: Sequence[dt.date], spend: Spend) -> LabelledSnapshots:
        """Label the snapshots of a training day as known then.

        The latest one, which validates, also has the clusters of its own day.

        Args:
            day: The training day.
            snapshots: Days of its matured snapshots, ascending.
            spend: What `find_outcomes` returned for them.
        """
        own: dict[dt.date, Mapping[dt.date, pd.Series]] = {day: spend[day]}
        return self._label(day, own | {latest: {} for latest in snapshots[-1:]})

    def revise(self, day: dt.date, snapshots: Sequence[dt.date], spend: Spend) -> LabelledSnapshots:
        """Label the snapshots of a training day as known then, and on validation days.

        Args:
            day: The training day.
            snapshots: Days of its matured snapshots, ascending.
            spend: What `find_outcomes` returned for them.
        """
        target, game = self.target, self.game
        matured_on = {own: labels.matures_on(own, target.horizon, game) for own in snapshots}
        earlier = {
            look: [own for own in snapshots if matured_on[own] <= look]
            for look in validation_days(matured_on)
        }
        return self._label(day, {day: spend[day], **self.find_outcomes(earlier)})

    def _label(self, day: dt.date, spend: Spend) -> LabelledSnapshots:
        clusters = {look: self._load_clusters(look) for look in spend}
        unclustered = [look for look, model in clusters.items() if model is None]
        labelled = (self._label_snapshot(it, day, spend, clusters) for it in spend[day])
        keeps_empty = self.target.population == "all"
        snapshots = [snapshot for snapshot in labelled if keeps_empty or len(snapshot.labels)]
        return LabelledSnapshots(snapshots, () if clusters[day] is None else tuple(unclustered))

    def _label_snapshot(
        self,
        snapshot_day: dt.date,
        day: dt.date,
        spend: Spend,
        clusters: Mapping[dt.date, Model[ClusterCard] | None],
    ) -> LabelledSnapshot:
        own, game = self.read_features(snapshot_day), self.game
        revisions = {
            look: self._revise(
                own, clusters[look], spend[look].get(snapshot_day, spend[day][snapshot_day])
            )
            for look in spend
            if look == snapshot_day or snapshot_day in spend[look]
        }
        current = revisions.pop(day)
        snapshot = LabelledSnapshot(
            snapshot_day,
            own.assign(**{str(name): column.array for name, column in current.columns.items()}),
            current.labels,
            labels.matures_on(snapshot_day, self.target.horizon, game),
            current.spend,
            revisions,
            find_filling_features(snapshot_day, game),
            find_sums(game),
            count_logged_days(snapshot_day, game),
        )
        population = self.target.population
        return snapshot if population == "all" else snapshot.rows(in_population(own, population))

    def _revise(
        self, features: pd.DataFrame, clusters: Model[ClusterCard] | None, spend: pd.Series
    ) -> Revision:
        """Labels and clusters of a snapshot as they were known on a day."""
        grouped = with_user_groups(with_clusters(features, clusters), self.target.user_groups)
        labelled, spent = labels_of(self.target, grouped[USER_ID], spend)
        columns = grouped.set_index(USER_ID)[[CLUSTER, USER_GROUP]]
        return Revision(columns, labelled, spent)

    def _read_features(self, day: dt.date) -> pd.DataFrame:
        table = user_features_table(self.game)
        frame: pd.DataFrame = read_sample(table, day, self.lake, self.share).to_pandas()
        return frame

    def _load_clusters(self, day: dt.date) -> Model[ClusterCard] | None:
        """The clusters of a day; None for a day without, or whose clusters cannot be read."""
        try:
            return day_model("clusters", day, ClusterCard, self.lake)
        except InputError as error:
            self.warn(str(error))
            return None


def find_share(target: Target, complete: Iterable[Sequence[dt.date]], lake: Lake) -> float:
    """Find the share of the users with which the snapshots of training days have `MAX_ROWS` rows.

    Args:
        target: What is predicted.
        complete: Days of the matured snapshots of each training day.
        lake: Where their features lie.
    """
    days = [list(snapshots) for snapshots in complete]
    users = {it: _count_users(target, it, lake) for it in {day for own in days for day in own}}
    rows = min((sum(users[it] for it in own) for own in days if own), default=0)
    return 1.0 if rows <= MAX_ROWS else float(f"{MAX_ROWS / rows:.{_DIGITS}g}")


def _count_users(target: Target, day: dt.date, lake: Lake) -> int:
    """Users of a day's features who belong to a target's population."""
    table = "user_features"
    rows = count_rows(table, day, lake)
    if target.population == "all":
        return rows
    has_paid = int(read_columns(table, day, [PURCHASE_AGO], lake)[PURCHASE_AGO].count())
    return has_paid if target.population == "has_paid" else rows - has_paid
