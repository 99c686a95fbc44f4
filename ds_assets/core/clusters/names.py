"""Names of clusters: what sets each of them apart from all users, in plain words.

Scope: the words of each family of features, how far a cluster deviates from all users, which
deviations its name mentions, and how long a name is kept. How clusters are made and matched from
day to day is in `clustering`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ds_assets.core.feature_columns import Family, FeatureColumn

STRIKING, STILL_TRUE, NO_LONGER_TYPICAL = 0.5, 0.25, 0.75
"""Standard deviations from all users from which on a trait is named; down to which a name keeps it;
and from which on a cluster is no longer called typical."""
MAX_TRAITS_PER_NAME = 2

_WORDS: dict[Family, tuple[str, str]] = {
    "tenure": ("new", "long-standing"),
    "activity": ("light", "frequent"),
    "trend": ("fading", "rising"),
    "recency": ("away", "recent"),
    "spend": ("low-spend", "spenders"),
}
"""Words for little and for much of a family, in the order in which a name uses them."""
_NOUN = "spenders"


class ClusterName(NamedTuple):
    """A name of a cluster.

    Attributes:
        text: The name.
        traits: The words of the name; it is kept while they are true.
    """

    text: str
    traits: tuple[str, ...]


def deviations_by_family(
    standard: NDArray[np.float64], features: Sequence[FeatureColumn]
) -> list[dict[Family, float]]:
    """How far each centre deviates from all users, by family of features.

    Args:
        standard: The centres in standard deviations, shape (clusters, features).
        features: The features of the columns, in order.

    Returns:
        For each centre the mean deviation of each family, in standard deviations.
    """
    oriented = standard * np.array([feature.direction for feature in features])
    columns: dict[Family, list[int]] = {
        family: [n for n, feature in enumerate(features) if feature.family == family]
        for family in _WORDS
    }
    return [
        {family: float(row[own].mean()) for family, own in columns.items() if own}
        for row in oriented
    ]


def name_clusters(
    deviations: Mapping[int, dict[Family, float]], before: Mapping[int, ClusterName]
) -> dict[int, ClusterName]:
    """Give each cluster a unique name: yesterday's as long as it is true, else a new one.

    Args:
        deviations: How far each cluster deviates from all users, by id; see
            `deviations_by_family`.
        before: Yesterday's names by id; may include clusters that no longer exist.

    Returns:
        Names by id.
    """
    named = {
        key: name
        for key, name in before.items()
        if key in deviations and _still_true(name.traits, deviations[key])
    }
    for key, deviation in deviations.items():
        if key not in named:
            taken = {name.text for name in named.values()}
            candidates = _candidates(key, deviation)
            named[key] = next(name for name in candidates if name.text not in taken)
    return named


def _still_true(traits: Sequence[str], deviation: dict[Family, float]) -> bool:
    if not traits:
        return max(map(abs, deviation.values())) < NO_LONGER_TYPICAL
    return all(
        _word(family, value) in traits and abs(value) >= STILL_TRUE
        for family, value in deviation.items()
        if set(_WORDS[family]) & set(traits)
    )


def _candidates(key: int, deviation: dict[Family, float]) -> Iterator[ClusterName]:
    """Names to choose from: the most striking traits, then more of them, finally the id."""
    candidates = [family for family in deviation if not _is_implied(family, deviation)]
    ranked = sorted(candidates, key=lambda family: -abs(deviation[family]))
    true = [family for family in ranked if abs(deviation[family]) >= STILL_TRUE]
    striking = [family for family in true if abs(deviation[family]) >= STRIKING]
    traits: tuple[str, ...] = ()
    for count in range(min(len(striking), MAX_TRAITS_PER_NAME), len(true) + 1):
        chosen = [family for family in _WORDS if family in true[:count]]
        traits = tuple(_word(family, deviation[family]) for family in chosen)
        yield ClusterName(_phrase(traits), traits)
    yield ClusterName(f"{_phrase(traits)} ({key})", traits)


def _is_implied(family: Family, deviation: dict[Family, float]) -> bool:
    """Whether it is the rising trend of newcomers, for whom the time before they came is quiet."""
    return family == "trend" and deviation[family] > 0 and deviation["tenure"] <= -STRIKING


def _word(family: Family, value: float) -> str:
    little, much = _WORDS[family]
    return much if value > 0 else little


def _phrase(traits: Sequence[str]) -> str:
    adjectives = ", ".join(trait for trait in traits if trait != _NOUN)
    noun = _NOUN if _NOUN in traits else ""
    return f"{adjectives} {noun}".strip() or "typical"
