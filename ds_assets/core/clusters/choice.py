"""The number of clusters: candidates, the criterion for choosing one, and limits on their sizes.

Scope: k-means itself, the criterion, and which clusters are too small or too large to use. The
scale of distances and the ids of clusters are in `clustering`, names in `names`.
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

MIN_USERS_PER_CLUSTER = 10
"""Smaller clusters describe individuals, not a segment."""
MIN_SHARE = 0.01
"""Share of all users below which a cluster is too small to target with a promotion."""
MAX_SHARE = 0.9
"""Share of all users above which a cluster hardly differs from all users."""
SAMPLE_ROWS = 2_500
"""The number of clusters is chosen on a sample: its mean silhouette is accurate to about 0.01."""
SILHOUETTE_MARGIN = 0.03
"""How much better another clustering must be to replace yesterday's."""

_STARTS = 3


@dataclass(frozen=True)
class Choice:
    """The clusters that were chosen.

    Attributes:
        centroids: The centres, shape (clusters, features); no rows where there are too few users.
        silhouettes: Mean silhouette of each number of clusters that was tried.
        reasons: Why there are fewer clusters than asked for, in words.
    """

    centroids: Array
    silhouettes: dict[int, float]
    reasons: tuple[str, ...]


def criterion(k_range: ClusterRange) -> str:
    """How the number of clusters is chosen, in words."""
    tried = str(k_range.min) if k_range.min == k_range.max else f"{k_range.min} to {k_range.max}"
    return (
        f"{tried} clusters were tried: the best mean silhouette, on up to {SAMPLE_ROWS:,} users, "
        f"wins among those where each cluster has at least {MIN_SHARE:.0%} of users and "
        f"{MIN_USERS_PER_CLUSTER} of them, and none more than {MAX_SHARE:.0%}; yesterday's "
        f"clusters stay while they are within {SILHOUETTE_MARGIN} of the best"
    )


def min_users(users: int) -> int:
    """Number of users that a cluster must have, given the number of all users."""
    return max(MIN_USERS_PER_CLUSTER, math.ceil(MIN_SHARE * users))


def unusable(sizes: Iterable[float], users: int) -> list[int]:
    """Positions of the clusters that are too small or too large."""
    least, most = min_users(users), MAX_SHARE * users
    return [place for place, size in enumerate(sizes) if not least <= size <= most]


def choose(
    scaled: Array, users: pd.Series, k_range: ClusterRange, past: Array, seed: int
) -> Choice:
    """Choose the clusters with the best mean silhouette (Rousseeuw, 1987) within the size limits.

    Yesterday's clusters, moved to today's users, are kept unless they are worse by more than
    `SILHOUETTE_MARGIN`. Where no candidate is within the limits, the one with the fewest clusters
    outside of them is chosen.

    Args:
        scaled: Scaled features, shape (users, features).
        users: Their ids, in the same order.
        k_range: Numbers of clusters to choose from; with few users, smaller numbers are used.
        past: Yesterday's centres on today's scale, shape (clusters, features); may have no rows.
        seed: Seed of samples and of the starts of k-means.
    """
    sample = scaled[_sample(users, seed)]
    distinct = len(np.unique(sample.round(6), axis=0))
    numbers, reasons = _numbers_of_clusters(k_range, len(users), distinct)
    if not numbers:
        return Choice(past[:0], {}, reasons)
    kept, fresh = _candidates(sample, numbers, past, len(users), seed)
    ranked = sorted([*kept, *fresh], key=lambda own: (own.unusable, -own.silhouette - own.bonus))
    chosen, centroids = _first_as_good_on_all(ranked, scaled, seed)
    tried = {candidate.number: candidate.silhouette for candidate in [*fresh, chosen]}
    return Choice(centroids, tried, reasons)


@dataclass(frozen=True)
class _Candidate:
    """Centres that were fitted to the sample, and how good they are there.

    Attributes:
        start: The centres.
        silhouette: Mean silhouette.
        unusable: Number of clusters outside the size limits.
        bonus: Added to the silhouette of yesterday's clusters.
    """

    start: Array
    silhouette: float
    unusable: int
    bonus: float

    @property
    def number(self) -> int:
        return len(self.start)


def _candidates(
    sample: Array, numbers: range, past: Array, users: int, seed: int
) -> tuple[list[_Candidate], list[_Candidate]]:
    """Yesterday's clusters, if their number may still be chosen, and new ones of each number."""
    from sklearn.metrics import pairwise_distances, silhouette_score  # noqa: PLC0415  # slow

    between = pairwise_distances(sample)

    def fit(start: Array | int, bonus: float = 0.0) -> _Candidate:
        centroids = _kmeans(sample, start, seed)
        labels = distances_between(sample, centroids).argmin(axis=1)
        sizes = np.bincount(labels, minlength=len(centroids)) * (users / len(sample))
        silhouette = float(silhouette_score(between, labels, metric="precomputed"))
        return _Candidate(centroids, silhouette, len(unusable(sizes, users)), bonus)

    kept = [fit(past, SILHOUETTE_MARGIN)] if len(past) in numbers else []
    return kept, [fit(number) for number in numbers]


def _first_as_good_on_all(
    ranked: Sequence[_Candidate], scaled: Array, seed: int
) -> tuple[_Candidate, Array]:
    """The first candidate with no more unusable clusters on all users than on the sample.

    Without such a candidate, the one with the fewest. Clusters that are empty on all users are
    dropped.
    """
    fitted = []
    for candidate in ranked:
        centroids = _kmeans(scaled, candidate.start, seed)
        sizes = np.bincount(
            distances_between(scaled, centroids).argmin(axis=1), minlength=candidate.number
        )
        outside = len(unusable(sizes, len(scaled)))
        fitted.append((outside, candidate, centroids[sizes > 0]))
        if outside <= candidate.unusable:
            break
    _, chosen, centroids = min(fitted, key=lambda own: own[0])
    return chosen, centroids


def _sample(users: pd.Series, seed: int) -> NDArray[np.intp]:
    """Positions of a sample by a hash of the ids: mostly the same users on the next day."""
    hashes = pd.util.hash_array(
        users.to_numpy(dtype=object), hash_key=f"{seed:016d}"[-16:], categorize=False
    )
    return np.argsort(hashes, kind="stable")[:SAMPLE_ROWS]


def _numbers_of_clusters(
    k_range: ClusterRange, users: int, distinct: int
) -> tuple[range, tuple[str, ...]]:
    """Numbers of clusters that the users allow, and why these are not what was asked for."""
    most = min(k_range.max, users // MIN_USERS_PER_CLUSTER, distinct)
    if most < 2:  # noqa: PLR2004  # a single cluster separates nobody
        needed = 2 * MIN_USERS_PER_CLUSTER
        reason = (
            f"{users} users, {distinct} of them different; {needed} users who differ are needed"
        )
        return range(0), (reason,)
    if most < k_range.min:
        reason = f"{users} users allow {most} clusters; {k_range.min} or more were asked for"
        return range(most, most + 1), (reason,)
    return range(k_range.min, most + 1), ()


def _kmeans(values: Array, start: Array | int, seed: int) -> Array:
    """Centres of k-means, from given centres or from the best of several random starts."""
    from sklearn.cluster import KMeans  # noqa: PLC0415  # slow to import
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    learner = (
        KMeans(start, n_init=_STARTS, random_state=seed)
        if isinstance(start, int)
        else KMeans(len(start), init=start, n_init=1, random_state=seed)
    )
    with warnings.catch_warnings():
        # Fewer distinct clusters than asked for: empty ones are dropped afterwards.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(learner.fit(values).cluster_centers_, dtype=np.float64)
