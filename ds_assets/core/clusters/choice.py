"""How many clusters there are: candidates, what they are judged by, and the guards they must keep.

Belongs here: k-means itself, the criterion, and which clusters are too small or too large to use.
Does not belong here: the scale of distances and the ids (`clustering.py`), and the names
(`names.py`).
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.core.clusters.assignment import Array, distances_between
from ds_assets.game import ClusterRange

MIN_USERS_A_CLUSTER = 10
"""Fewer users are persons, not a group."""
SMALLEST_SHARE = 0.01
"""Share of all users below which a cluster is too small to aim a promotion at."""
LARGEST_SHARE = 0.9
"""Share of all users above which a cluster says no more than "everybody"."""
SAMPLE_ROWS = 2_500
"""The number of clusters is chosen on a sample: its mean silhouette is exact to about 0.01."""
SILHOUETTE_MARGIN = 0.03
"""What another clustering must be better by before yesterday's is given up."""

_STARTS = 3


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        centroids: The centres, shape (clusters, features); none where users are too few.
        silhouettes: Mean silhouette of each number of clusters that was tried.
        reasons: What the users do not allow of what was asked for, in words.
    """

    centroids: Array
    silhouettes: dict[int, float]
    reasons: tuple[str, ...]


def criterion(k_range: ClusterRange) -> str:
    """How the number of clusters is chosen, in words."""
    asked = str(k_range.min) if k_range.min == k_range.max else f"{k_range.min} to {k_range.max}"
    return (
        f"{asked} clusters were tried: the best mean silhouette, on up to {SAMPLE_ROWS:,} users, "
        f"wins among those where each cluster has at least {SMALLEST_SHARE:.0%} of users and "
        f"{MIN_USERS_A_CLUSTER} of them, and none more than {LARGEST_SHARE:.0%}; yesterday's "
        f"clusters stay while they are within {SILHOUETTE_MARGIN} of the best"
    )


def fewest_users(users: int) -> int:
    """Users that a cluster of so many users must have."""
    return max(MIN_USERS_A_CLUSTER, math.ceil(SMALLEST_SHARE * users))


def unusable(sizes: Iterable[float], users: int) -> list[int]:
    """Positions of the clusters that break a guard: those that are too small or too large."""
    least, most = fewest_users(users), LARGEST_SHARE * users
    return [place for place, size in enumerate(sizes) if not least <= size <= most]


def choose(
    scaled: Array, users: pd.Series, k_range: ClusterRange, past: Array, seed: int
) -> Choice:
    """Choose clusters: the best mean silhouette (Rousseeuw, 1987) of those that keep the guards.

    Yesterday's clusters, moved to today's users, stay where they are not worse by more than
    `SILHOUETTE_MARGIN`. Where no candidate keeps the guards, one that breaks the fewest is taken.

    Args:
        scaled: Scaled features, shape (users, features).
        users: Their ids, in the same order.
        k_range: Numbers of clusters to choose from; fewer where users are few.
        past: Yesterday's centres on today's scale, shape (clusters, features); may be none.
        seed: Makes samples and starts repeatable.
    """
    sample = scaled[_sample(users, seed)]
    distinct = len(np.unique(sample.round(6), axis=0))
    numbers, reasons = _numbers_of_clusters(k_range, len(users), distinct)
    if not numbers:
        return Choice(past[:0], {}, reasons)
    kept, fresh = _candidates(sample, numbers, past, len(users), seed)
    ranked = sorted([*kept, *fresh], key=lambda one: (one.broken, -one.silhouette - one.advantage))
    chosen, centroids = _first_as_good_on_all(ranked, scaled, seed)
    tried = {one.number: one.silhouette for one in [*fresh, chosen]}
    return Choice(centroids, tried, reasons)


@dataclass(frozen=True)
class _Candidate:
    """Centres found on the sample, and how good they are there.

    Attributes:
        start: The centres.
        silhouette: Mean silhouette.
        broken: Clusters that break a guard.
        advantage: What is forgiven because they are yesterday's.
    """

    start: Array
    silhouette: float
    broken: int
    advantage: float

    @property
    def number(self) -> int:
        return len(self.start)


def _candidates(
    sample: Array, numbers: range, past: Array, users: int, seed: int
) -> tuple[list[_Candidate], list[_Candidate]]:
    """Yesterday's clusters, where their number may still be chosen, and new ones of each number."""
    from sklearn.metrics import pairwise_distances, silhouette_score  # noqa: PLC0415  # slow

    between = pairwise_distances(sample)

    def tried(start: Array | int, advantage: float = 0.0) -> _Candidate:
        centroids = _kmeans(sample, start, seed)
        labels = distances_between(sample, centroids).argmin(axis=1)
        sizes = np.bincount(labels, minlength=len(centroids)) * (users / len(sample))
        silhouette = float(silhouette_score(between, labels, metric="precomputed"))
        return _Candidate(centroids, silhouette, len(unusable(sizes, users)), advantage)

    kept = [tried(past, SILHOUETTE_MARGIN)] if len(past) in numbers else []
    return kept, [tried(number) for number in numbers]


def _first_as_good_on_all(
    ranked: Sequence[_Candidate], scaled: Array, seed: int
) -> tuple[_Candidate, Array]:
    """The first candidate that breaks no more guards on all users than it did on the sample.

    Where there is none, the one that breaks the fewest. Clusters that are empty on all users are
    left out.
    """
    found = []
    for one in ranked:
        centroids = _kmeans(scaled, one.start, seed)
        sizes = np.bincount(
            distances_between(scaled, centroids).argmin(axis=1), minlength=one.number
        )
        broken = len(unusable(sizes, len(scaled)))
        found.append((broken, one, centroids[sizes > 0]))
        if broken <= one.broken:
            break
    _, chosen, centroids = min(found, key=lambda each: each[0])
    return chosen, centroids


def _sample(users: pd.Series, seed: int) -> NDArray[np.intp]:
    """Positions of users by a hash of their ids: mostly the same users on the next day."""
    hashes = pd.util.hash_array(
        users.to_numpy(dtype=object), hash_key=f"{seed:016d}"[-16:], categorize=False
    )
    return np.argsort(hashes, kind="stable")[:SAMPLE_ROWS]


def _numbers_of_clusters(
    k_range: ClusterRange, users: int, distinct: int
) -> tuple[range, tuple[str, ...]]:
    """Numbers of clusters that the users allow, and in words why not those that were asked for."""
    most = min(k_range.max, users // MIN_USERS_A_CLUSTER, distinct)
    if most < 2:  # noqa: PLR2004  # one cluster is none
        needed = 2 * MIN_USERS_A_CLUSTER
        reason = (
            f"{users} users, {distinct} of them different; {needed} users who differ are needed"
        )
        return range(0), (reason,)
    if most < k_range.min:
        reason = f"{users} users allow {most} clusters; {k_range.min} or more were asked for"
        return range(most, most + 1), (reason,)
    return range(k_range.min, most + 1), ()


def _kmeans(values: Array, start: Array | int, seed: int) -> Array:
    """Centres of k-means, from given ones or from the best of some random starts."""
    from sklearn.cluster import KMeans  # noqa: PLC0415  # slow to import
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    learner = (
        KMeans(start, n_init=_STARTS, random_state=seed)
        if isinstance(start, int)
        else KMeans(len(start), init=start, n_init=1, random_state=seed)
    )
    with warnings.catch_warnings():
        # fewer clusters than asked for: empty ones are taken out afterwards
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(learner.fit(values).cluster_centers_, dtype=np.float64)
