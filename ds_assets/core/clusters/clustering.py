"""Groups of users who behave alike: k-means whose ids and names last from day to day.

Belongs here: which features make distances and on what scale, and which of the clusters were there
on the day before.
Does not belong here: how many clusters there are (`choice.py`), what they are called
(`names.py`), what their model computes (`assignment.py`), applying a stored model
(`scoring.py`), and where cards and models lie.
"""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from ds_assets.core.cards import Card, library_versions, sha256_of, version_of
from ds_assets.core.clusters.assignment import (
    Array,
    Scaling,
    as_onnx,
    distances_between,
    scale,
    tame,
)
from ds_assets.core.clusters.choice import (
    LARGEST_SHARE,
    Choice,
    choose,
    criterion,
    fewest_users,
    unusable,
)
from ds_assets.core.clusters.names import (
    ClusterName,
    deviations_by_family,
    family_of,
    name_clusters,
)
from ds_assets.core.encoding import USER_ID, Encoding, Feature, encode
from ds_assets.game import ClusterRange

_LEAST_DEVIATION = 1e-9
_WEEK, _FOUR_WEEKS = 7, 28
_MEASURES = ("active_days", "events", "sessions", "purchases", "spend")
_WHOLE_LOOKBACK = (
    "days_since_active",
    "recency_in_gaps",
    "tenure_days",
    "typical_gap",
    "longest_gap",
    "days_since_purchase",
)


class Cluster(BaseModel):
    """One cluster.

    Attributes:
        id: The same as long as the cluster is recognised from day to day; never given to another.
        name: What sets it apart from all users.
        traits: The words of the name, which must stay true.
        size: Users in it.
        centroid: Its centre, in scaled features.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int
    name: str
    traits: tuple[str, ...]
    size: int
    centroid: tuple[float, ...]


class ClusterCard(Card):
    """What a cluster model says about itself.

    Attributes:
        k_range: Numbers of clusters that were asked for.
        previous: Version of the card whose ids were continued.
        users: Users that were clustered.
        scaling: Scale of distances; none without a model.
        clusters: The clusters, by id.
        shares: Share of the users in each cluster, by id.
        criterion: How the number of clusters is chosen, in words.
        silhouettes: Mean silhouette of each number of clusters that was tried.
        warnings: Clusters that are too small or too large to use, a sentence each.
        next_id: Id of the next cluster that was never there before.
    """

    k_range: ClusterRange
    previous: str | None
    users: int
    scaling: Scaling | None
    clusters: tuple[Cluster, ...]
    shares: dict[int, float] = Field(default_factory=dict)
    criterion: str = ""
    silhouettes: dict[int, float]
    warnings: tuple[str, ...] = ()
    next_id: int

    @property
    def deviations(self) -> dict[int, dict[str, float]]:
        """How far each cluster lies from all users, in standard deviations, by id and feature."""
        if self.scaling is None:
            return {}
        weight = np.array(self.scaling.weight)
        return {
            one.id: dict(
                zip(self.encoding.names, (np.array(one.centroid) / weight).tolist(), strict=True)
            )
            for one in self.clusters
        }


@dataclass(frozen=True)
class FittedClusters:
    """What came of a day.

    Attributes:
        card: What the model says about itself.
        onnx: The model; none where users were too few.
        assignments: The columns of the table `clusters`, by user id; no rows without a model.
    """

    card: ClusterCard
    onnx: bytes | None
    assignments: pd.DataFrame


def fit_clusters(
    features: pd.DataFrame,
    k_range: ClusterRange,
    previous: ClusterCard | None,
    *,
    as_of: dt.date,
    seed: int = 0,
) -> FittedClusters:
    """Cluster the users of a day, as close to the day before as the data allows.

    The number of clusters is chosen by `criterion`. Ids pass on by the least total distance between
    centres (Kuhn, 1955).

    Args:
        features: Features frame of a day.
        k_range: Numbers of clusters to choose from; fewer where users are few.
        previous: Card of the latest earlier day, whose ids, names and centres are continued.
        as_of: Day of the features.
        seed: Makes samples and starts repeatable.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
        ValueError: `previous` is not of an earlier day.
    """
    if previous is not None and previous.as_of >= as_of:
        raise ValueError(f"clusters of {as_of} cannot continue those of {previous.as_of}")
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

    # sums over threads end in another order each time, and so do their last digits
    with threadpool_limits(limits=1):
        day = _day(features)
        blank = _blank_card(day, k_range, previous, as_of, seed)
        past = _comparable(previous, day)
        found = choose(day.scaled, day.users, k_range, past, seed)
        return _described(blank, found, day, past, () if previous is None else previous.clusters)


def cluster_features(columns: Iterable[str]) -> list[str]:
    """Names of the features that make distances: few, and each with a plain meaning.

    Activity and spend over a week and over four weeks (the shortest windows at least so long hold
    each weekday equally often; else the longest window), the trends between windows of a week or
    more, recency, gaps and tenure. Counts and sums of a game's own events are left out: there may
    be any number of them, and they would drown the rest.

    Args:
        columns: Columns of a features frame.
    """
    present = list(columns)
    windows = _windows(present)
    chosen = sorted({_window(windows, least) for least in (_WEEK, _FOUR_WEEKS)})
    trends = sorted(
        (int(match[1]), name) for name in present if (match := re.match(r"trend_(\d+)d_", name))
    )
    steady = [name for days, name in trends if days >= _WEEK] or [name for _, name in trends[-1:]]
    return [
        *(f"{measure}_{days}d" for measure in _MEASURES for days in chosen),
        *steady,
        *_WHOLE_LOOKBACK,
    ]


def four_week_window(columns: Iterable[str]) -> int:
    """Days of the shortest window of four weeks or more, else of the longest.

    Args:
        columns: Columns of a features frame.
    """
    return _window(_windows(columns), _FOUR_WEEKS)


def _window(windows: Sequence[int], least: int) -> int:
    return min([days for days in windows if days >= least] or [windows[-1]])


def _windows(columns: Iterable[str]) -> list[int]:
    found = (re.fullmatch(r"active_days_(\d+)d", name) for name in columns)
    return sorted(int(match[1]) for match in found if match) or [_FOUR_WEEKS]


@dataclass(frozen=True)
class _Day:
    """The users of a day by id, and their features, raw and on the scale of distances."""

    users: pd.Series
    encoding: Encoding
    matrix: NDArray[np.float32]
    scaling: Scaling
    scaled: Array


def _day(features: pd.DataFrame) -> _Day:
    frame = features.sort_values(USER_ID, ignore_index=True)
    columns = [str(name) for name in frame.columns]
    names = cluster_features(columns)
    encoding = Encoding(features=tuple(Feature(name=name, type="number") for name in names))
    matrix = encode(frame, encoding)
    scaling = _fit_scaling(matrix, names, _windows(columns)[-1])
    return _Day(frame[USER_ID], encoding, matrix, scaling, scale(matrix, scaling))


def _blank_card(
    day: _Day,
    k_range: ClusterRange,
    previous: ClusterCard | None,
    as_of: dt.date,
    seed: int,
) -> ClusterCard:
    """The card as far as it is known before clustering."""
    who, columns = "\n".join(day.users).encode(), day.encoding.model_dump_json().encode()
    made_from: dict[str, Any] = {
        "as_of": as_of,
        "seed": seed,
        "k_range": k_range.model_dump(),
        "libraries": library_versions(),
        "data_fingerprint": sha256_of([who, columns, day.matrix.data]),
        "previous": None if previous is None else previous.version,
    }
    return ClusterCard(
        **made_from,
        version=version_of(**made_from),
        state="not_enough_data",
        reasons=(),
        encoding=day.encoding,
        onnx_sha256=None,
        users=len(day.users),
        scaling=None,
        clusters=(),
        criterion=criterion(k_range),
        silhouettes={},
        next_id=1 if previous is None else previous.next_id,
    )


def _fit_scaling(matrix: NDArray[np.float32], names: Sequence[str], lookback: int) -> Scaling:
    """Scale so that each family of features weighs the same, however many features it has."""
    known = matrix.astype(np.float64)
    fill = np.array([_fill(name, known[:, place], lookback) for place, name in enumerate(names)])
    tamed = tame(known, fill)
    families = [family_of(name)[0] for name in names]
    deviation = tamed.std(axis=0) if len(tamed) else np.zeros(len(names))
    return Scaling(
        fill=tuple(fill.tolist()),
        mean=tuple(tamed.mean(axis=0).tolist()) if len(tamed) else (0.0,) * len(names),
        deviation=tuple(np.where(deviation > _LEAST_DEVIATION, deviation, 1.0).tolist()),
        weight=tuple(families.count(family) ** -0.5 for family in families),
    )


def _fill(name: str, values: Array, lookback: int) -> float:
    """What a missing value stands for."""
    if name == "days_since_purchase":
        return float(lookback)  # no purchase in sight: longer ago than any that is
    if name.startswith("trend_"):
        return 0.0  # not even active in the longer window: as silent as can be
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0  # one active day: its gaps are unknown


def _comparable(previous: ClusterCard | None, day: _Day) -> Array:
    """Yesterday's centres on today's scale, shape (clusters, features); none if of other features.

    The weights are the same, so that only mean and deviation move.
    """
    now = day.scaling
    known = previous is not None and previous.encoding == day.encoding
    if previous is None or previous.scaling is None or not known:
        return np.empty((0, len(now.weight)))
    then, weight = previous.scaling, np.array(now.weight)
    standard = np.array([one.centroid for one in previous.clusters]) / weight
    tamed = standard * np.array(then.deviation) + np.array(then.mean)
    return np.asarray((tamed - np.array(now.mean)) / np.array(now.deviation) * weight)


def _described(
    blank: ClusterCard, found: Choice, day: _Day, past: Array, before: Sequence[Cluster]
) -> FittedClusters:
    if not len(found.centroids):
        card = blank.model_copy(update={"reasons": found.reasons})
        return FittedClusters(card, None, _assignments(day.users[:0], (), np.empty((0, 1))))
    ids, next_id = _identify(found.centroids, past, before, blank.next_id)
    order = np.argsort(ids)
    ids, centroids = ids[order], found.centroids[order]
    distances = distances_between(day.scaled, centroids)
    clusters = _clusters(ids, centroids, distances, day, before)
    onnx = as_onnx(day.scaling, centroids, ids)
    facts = {
        "state": "ready",
        "reasons": found.reasons,
        "scaling": day.scaling,
        "clusters": clusters,
        "shares": {one.id: one.size / len(day.users) for one in clusters},
        "silhouettes": found.silhouettes,
        "warnings": _warnings(clusters, len(day.users)),
        "next_id": next_id,
        "onnx_sha256": sha256_of([onnx]),
    }
    card = blank.model_copy(update=facts)
    return FittedClusters(card, onnx, _assignments(day.users, clusters, distances))


def _identify(
    centroids: Array, past: Array, before: Sequence[Cluster], next_id: int
) -> tuple[NDArray[np.int64], int]:
    """Ids of today's centres, and the next one that is free.

    An id passes on only to a centre within half the way from yesterday's to the nearest of its
    fellows: beyond, it would be as much another's. Distances further than that count alike, so that
    a cluster that went does not tear the others' pairs apart.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  # slow to import

    ids = np.zeros(len(centroids), dtype=np.int64)
    if len(past):
        apart = distances_between(past, past)
        np.fill_diagonal(apart, np.inf)
        reach = apart.min(axis=1) / 2
        moved = distances_between(centroids, past)
        for here, there in zip(*linear_sum_assignment(np.minimum(moved, reach)), strict=True):
            if moved[here, there] < reach[there]:
                ids[here] = before[int(there)].id
    new = np.flatnonzero(ids == 0)
    ids[new] = next_id + np.arange(len(new))
    return ids, next_id + len(new)


def _clusters(
    ids: NDArray[np.int64],
    centroids: Array,
    distances: Array,
    day: _Day,
    before: Sequence[Cluster],
) -> tuple[Cluster, ...]:
    sizes = np.bincount(distances.argmin(axis=1), minlength=len(ids))
    deviations = deviations_by_family(centroids / np.array(day.scaling.weight), day.encoding.names)
    names_before = {one.id: ClusterName(one.name, one.traits) for one in before}
    named = name_clusters(dict(zip(ids.tolist(), deviations, strict=True)), names_before)
    rows = zip(ids.tolist(), sizes.tolist(), centroids.tolist(), strict=True)
    return tuple(
        Cluster(
            id=key,
            name=named[key].text,
            traits=named[key].traits,
            size=size,
            centroid=tuple(centroid),
        )
        for key, size, centroid in rows
    )


def _warnings(clusters: Sequence[Cluster], users: int) -> tuple[str, ...]:
    limits = f"{fewest_users(users):,} to {LARGEST_SHARE:.0%} of {users:,} are wanted"
    broken = [clusters[place] for place in unusable([one.size for one in clusters], users)]
    return tuple(
        f"cluster {one.id}, {one.name}, has {one.size:,} users; {limits}" for one in broken
    )


def _assignments(users: pd.Series, clusters: Sequence[Cluster], distances: Array) -> pd.DataFrame:
    places = distances.argmin(axis=1)
    names = pd.array([one.name for one in clusters], dtype="str")
    return pd.DataFrame(
        {
            "user_id": users,
            "cluster": np.array([one.id for one in clusters], dtype=np.int64)[places],
            "cluster_name": names[places],
            "distance": distances.min(axis=1),
        }
    )
