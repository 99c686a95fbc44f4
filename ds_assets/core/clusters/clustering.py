"""Clusters of users who behave alike: k-means whose ids and names persist from day to day.

Scope: which features distances are made of and on what scale, and matching clusters with those of
the day before. The number of clusters is chosen in `choice`, names are given in `names`, and what
the model computes is in `assignment`.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

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
    signed_log,
)
from ds_assets.core.clusters.choice import (
    MAX_SHARE,
    Choice,
    choose,
    criterion,
    min_users,
    unusable,
)
from ds_assets.core.clusters.names import (
    ClusterName,
    deviations_by_family,
    name_clusters,
)
from ds_assets.core.encoding import USER_ID, Encoding, Feature, encode
from ds_assets.core.feature_columns import Family, FeatureColumn
from ds_assets.core.topics import FOUR_WEEKS, WEEK
from ds_assets.game import ClusterRange

_MIN_DEVIATION = 1e-9
_FAMILY_ORDER: Sequence[Family | None] = get_args(Family)
"""Order of features without a window. Clusters of another order of features are not continued."""


class Cluster(BaseModel):
    """One cluster.

    Attributes:
        id: Kept as long as the cluster is matched from day to day; never used again for another.
        name: What sets the cluster apart from all users.
        traits: The words of the name; the name is kept while they are true.
        size: Number of users.
        centroid: The centre, in scaled features.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int
    name: str
    traits: tuple[str, ...]
    size: int
    centroid: tuple[float, ...]


class ClusterCard(Card):
    """The card of a cluster model.

    Attributes:
        k_range: Numbers of clusters to choose from.
        previous: Version of the card whose ids were continued.
        users: Number of users that were clustered.
        scaling: Scale of distances; None without a model.
        clusters: The clusters, by id.
        shares: Share of the users in each cluster, by id.
        criterion: How the number of clusters is chosen, in words.
        silhouettes: Mean silhouette of each number of clusters that was tried.
        warnings: One sentence for each cluster that is too small or too large to use.
        next_id: A number above the ids of these clusters and of those that they continue.
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
        """Deviation of each cluster from all users, in standard deviations, by id and feature."""
        if self.scaling is None:
            return {}
        weight = np.array(self.scaling.weight)
        return {
            cluster.id: dict(
                zip(
                    self.encoding.names,
                    (np.array(cluster.centroid) / weight).tolist(),
                    strict=True,
                )
            )
            for cluster in self.clusters
        }


@dataclass(frozen=True)
class FittedClusters:
    """The clusters of a day.

    Attributes:
        card: The card of the model.
        onnx: The model; None where there were too few users.
        assignments: The columns of the table `clusters`, by user id; no rows without a model.
    """

    card: ClusterCard
    onnx: bytes | None
    assignments: pd.DataFrame


def fit_clusters(  # noqa: PLR0913  (four of them are named in every call)
    features: pd.DataFrame,
    declared: Iterable[FeatureColumn],
    k_range: ClusterRange,
    previous: ClusterCard | None,
    *,
    as_of: dt.date,
    replaced: ClusterCard | None = None,
    following: ClusterCard | None = None,
    free_id: int = 1,
    seed: int = 0,
) -> FittedClusters:
    """Cluster the users of a day, as similar to the day before as the data allows.

    The number of clusters is chosen as `criterion` says. Ids are passed on so that the total
    distance between matched centres is smallest (Hungarian method; Kuhn, 1955): first from the card
    that is replaced, because the ids of a day that is made again are known to others; then from the
    day before. Where no day before has clusters, as when older days are filled in, ids are passed
    on from the day after. All other clusters get new ids.

    Ids from a later day are no leakage. The clusters and their names follow from features of this
    day and centres of the day before; an id only says which cluster is meant. Models of this day
    are learned with its own clusters, and no earlier model that might be applied has seen an id.

    Args:
        features: Features frame of a day.
        declared: The game's features; see `distance_features`.
        k_range: Numbers of clusters to choose from; with few users, smaller numbers are used.
        previous: Card of the latest earlier day, whose ids, names and centres are continued.
        as_of: Day of the features.
        replaced: The card of the same day that was made before; None if there is none.
        following: Card of the first later day with clusters; None if there is none near. It is used
            only where `previous` has no clusters.
        free_id: A number above all ids that other days have assigned.
        seed: Seed of samples and of the starts of k-means.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
        ValueError: `previous` is not from an earlier day.
    """
    if previous is not None and previous.as_of >= as_of:
        raise ValueError(f"clusters of {as_of} cannot continue those of {previous.as_of}")
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

    # With several threads the order of sums, and so their last digits, would vary.
    with threadpool_limits(limits=1):
        day = _day(features, declared)
        blank = _make_blank_card(day, k_range, previous, as_of, seed)
        past = _id_source(previous, day)
        choice = choose(day.scaled, day.users, k_range, past.centroids, seed)
        before = () if previous is None else previous.clusters
        later = following if previous is None or not previous.clusters else None
        cards = (_id_source(replaced, day), past, _id_source(later, day))
        identities = _Identities(cards, free_id)
        return _build_clusters(blank, choice, day, identities, before)


def distance_features(declared: Iterable[FeatureColumn]) -> list[FeatureColumn]:
    """Select the features that distances between users are made of: few, each easy to interpret.

    These are the features with a family. Of sums, only the windows of a week and of four weeks are
    used: the shortest of at least that length, else the longest. Of trends, those whose shorter
    window is at least a week, else the longest. Counts and sums of a game's own events have no
    family: there may be any number of them, and they would outweigh all others.
    """
    features = [feature for feature in declared if feature.family is not None]
    windows = {_shortest_window(features, least) for least in (WEEK, FOUR_WEEKS)}
    sums = [feature for feature in features if feature.windows in {(days,) for days in windows}]
    trends = [feature for feature in features if len(feature.windows) > 1]
    others = [feature for feature in features if not feature.windows]
    return [
        *sums,
        *([trend for trend in trends if trend.windows[0] >= WEEK] or trends[-1:]),
        *sorted(others, key=lambda feature: _FAMILY_ORDER.index(feature.family)),
    ]


def _shortest_window(declared: Iterable[FeatureColumn], least: int) -> int:
    windows = [feature.windows[0] for feature in declared if len(feature.windows) == 1]
    return min((days for days in windows if days >= least), default=max(windows))


def four_week_window(declared: Iterable[FeatureColumn]) -> int:
    """Length in days of the shortest window of at least four weeks, else of the longest."""
    return _shortest_window(declared, FOUR_WEEKS)


@dataclass(frozen=True)
class _Day:
    """The users of a day and their features.

    Attributes:
        users: Their ids, ascending.
        features: The features that distances are made of.
        encoding: The same as columns of the matrix.
        matrix: Raw values, shape (users, features).
        scaling: Scale of distances.
        scaled: Values on that scale, shape (users, features).
    """

    users: pd.Series
    features: Sequence[FeatureColumn]
    encoding: Encoding
    matrix: NDArray[np.float32]
    scaling: Scaling
    scaled: Array


def _day(table: pd.DataFrame, declared: Iterable[FeatureColumn]) -> _Day:
    frame = table.sort_values(USER_ID, ignore_index=True)
    features = distance_features(declared)
    encoding = Encoding(features=tuple(Feature(name=own.name, type="number") for own in features))
    matrix = encode(frame, encoding)
    scaling = _fit_scaling(matrix, features)
    return _Day(frame[USER_ID], features, encoding, matrix, scaling, scale(matrix, scaling))


def _make_blank_card(
    day: _Day,
    k_range: ClusterRange,
    previous: ClusterCard | None,
    as_of: dt.date,
    seed: int,
) -> ClusterCard:
    """The card of a day without clusters."""
    ids, columns = "\n".join(day.users).encode(), day.encoding.model_dump_json().encode()
    made_from: dict[str, Any] = {
        "as_of": as_of,
        "seed": seed,
        "k_range": k_range.model_dump(),
        "libraries": library_versions(),
        "data_fingerprint": sha256_of([ids, columns, day.matrix.data]),
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


def _fit_scaling(matrix: NDArray[np.float32], features: Sequence[FeatureColumn]) -> Scaling:
    """Scale so that each family of features weighs the same, however many features it has."""
    values = matrix.astype(np.float64)
    fill = np.array([_fill(own, values[:, place]) for place, own in enumerate(features)])
    logs = signed_log(values, fill)
    families = [feature.family for feature in features]
    deviation = logs.std(axis=0) if len(logs) else np.zeros(len(features))
    return Scaling(
        fill=tuple(fill.tolist()),
        mean=tuple(logs.mean(axis=0).tolist()) if len(logs) else (0.0,) * len(features),
        deviation=tuple(np.where(deviation > _MIN_DEVIATION, deviation, 1.0).tolist()),
        weight=tuple(families.count(family) ** -0.5 for family in families),
    )


def _fill(feature: FeatureColumn, values: Array) -> float:
    """What a missing value stands for."""
    if feature.fill is not None:
        return feature.fill
    present = values[~np.isnan(values)]
    return float(np.median(present)) if len(present) else 0.0


class _IdSource(NamedTuple):
    """Centres of another card on today's scale, shape (clusters, features), and their ids."""

    centroids: Array
    ids: NDArray[np.int64]


class _Identities(NamedTuple):
    """Where ids come from: clusters that pass them on, in this order, and the first new one."""

    sources: Sequence[_IdSource]
    free_id: int


def _id_source(card: ClusterCard | None, day: _Day) -> _IdSource:
    """The clusters of a card on today's scale.

    Empty without clusters, or where they were made of other features. The weights are always the
    same, so that only means and deviations differ.
    """
    today = day.scaling
    is_comparable = card is not None and card.encoding == day.encoding
    if card is None or card.scaling is None or not is_comparable:
        return _IdSource(np.empty((0, len(today.weight))), np.empty(0, dtype=np.int64))
    past, weight = card.scaling, np.array(today.weight)
    standard = np.array([cluster.centroid for cluster in card.clusters]) / weight
    logs = standard * np.array(past.deviation) + np.array(past.mean)
    return _IdSource(
        np.asarray((logs - np.array(today.mean)) / np.array(today.deviation) * weight),
        np.array([cluster.id for cluster in card.clusters]),
    )


def _build_clusters(
    blank: ClusterCard,
    choice: Choice,
    day: _Day,
    identities: _Identities,
    before: Sequence[Cluster],
) -> FittedClusters:
    if not len(choice.centroids):
        card = blank.model_copy(update={"reasons": choice.reasons})
        return FittedClusters(card, None, _assignments(day.users[:0], (), np.empty((0, 1))))
    free_id = max(identities.free_id, blank.next_id)
    ids = _identify(choice.centroids, identities.sources, free_id)
    order = np.argsort(ids)
    ids, centroids = ids[order], choice.centroids[order]
    distances = distances_between(day.scaled, centroids)
    clusters = _clusters(ids, centroids, distances, day, before)
    onnx = as_onnx(day.scaling, centroids, ids)
    facts = {
        "state": "ready",
        "reasons": choice.reasons,
        "scaling": day.scaling,
        "clusters": clusters,
        "shares": {cluster.id: cluster.size / len(day.users) for cluster in clusters},
        "silhouettes": choice.silhouettes,
        "warnings": _warnings(clusters, len(day.users)),
        "next_id": max(blank.next_id, int(ids.max()) + 1),
        "onnx_sha256": sha256_of([onnx]),
    }
    card = blank.model_copy(update=facts)
    return FittedClusters(card, onnx, _assignments(day.users, clusters, distances))


def _identify(centroids: Array, sources: Iterable[_IdSource], free_id: int) -> NDArray[np.int64]:
    """Ids of today's centres: those of past clusters where they match, else new ones."""
    ids = np.zeros(len(centroids), dtype=np.int64)
    for source in sources:
        unnamed = np.flatnonzero(ids == 0)
        ids[unnamed] = _match(centroids[unnamed], source, taken=ids)
    new = np.flatnonzero(ids == 0)
    ids[new] = free_id + np.arange(len(new))
    return ids


def _match(centroids: Array, source: _IdSource, taken: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids of known clusters for today's centres, 0 where none matches.

    An id is passed on only to a centre within half the distance from the known centre to its
    nearest neighbour: beyond that it could as well be the neighbour's. Longer distances count as
    that half, so that a cluster that disappeared does not break up the pairs of others.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415  # slow to import

    ids = np.zeros(len(centroids), dtype=np.int64)
    if not len(source.ids):
        return ids
    between = distances_between(source.centroids, source.centroids)
    np.fill_diagonal(between, np.inf)
    free = ~np.isin(source.ids, taken)
    reach, free_ids = between.min(axis=1)[free] / 2, source.ids[free]
    moved = distances_between(centroids, source.centroids[free])
    for place, source_place in zip(*linear_sum_assignment(np.minimum(moved, reach)), strict=True):
        if moved[place, source_place] < reach[source_place]:
            ids[place] = free_ids[source_place]
    return ids


def _clusters(
    ids: NDArray[np.int64],
    centroids: Array,
    distances: Array,
    day: _Day,
    before: Sequence[Cluster],
) -> tuple[Cluster, ...]:
    sizes = np.bincount(distances.argmin(axis=1), minlength=len(ids))
    deviations = deviations_by_family(centroids / np.array(day.scaling.weight), day.features)
    names_before = {old.id: ClusterName(old.name, old.traits) for old in before}
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
    limits = f"{min_users(users):,} to {MAX_SHARE:.0%} of {users:,} are wanted"
    places = unusable([cluster.size for cluster in clusters], users)
    return tuple(
        f"cluster {cluster.id}, {cluster.name}, has {cluster.size:,} users; {limits}"
        for cluster in (clusters[place] for place in places)
    )


def _assignments(users: pd.Series, clusters: Sequence[Cluster], distances: Array) -> pd.DataFrame:
    places = distances.argmin(axis=1)
    names = pd.array([cluster.name for cluster in clusters], dtype="str")
    return pd.DataFrame(
        {
            "user_id": users,
            "cluster": np.array([cluster.id for cluster in clusters], dtype=np.int64)[places],
            "cluster_name": names[places],
            "distance": distances.min(axis=1),
        }
    )
