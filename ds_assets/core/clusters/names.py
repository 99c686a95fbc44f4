"""Names of clusters: what sets each of them apart from all users, in plain words.

Belongs here: families of features and their words, how far a cluster lies from all users, which of
that its name says, and how long a name stays.
Does not belong here: how clusters are made and recognised from day to day (`clustering.py`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Family = Literal["tenure", "activity", "trend", "recency", "spend"]

STRIKING, STILL_TRUE, NO_LONGER_TYPICAL = 0.5, 0.25, 0.75
"""Standard deviations from all users at which a trait is named, is kept, and can't be ignored."""
TRAITS_A_NAME = 2

_FAMILIES: dict[str, tuple[Family, int]] = {
    r"tenure_days": ("tenure", 1),
    r"(active_days|events|sessions)_\d+d": ("activity", 1),
    r"(typical|longest)_gap": ("activity", -1),
    r"trend_.*": ("trend", 1),
    r"days_since_active|recency_in_gaps": ("recency", -1),
    r"(purchases|spend)_\d+d": ("spend", 1),
    r"days_since_purchase": ("spend", -1),
}
"""Family and direction of each feature, by a pattern of its name."""
_WORDS: dict[Family, tuple[str, str]] = {
    "tenure": ("new", "long-standing"),
    "activity": ("light", "frequent"),
    "trend": ("fading", "rising"),
    "recency": ("away", "recent"),
    "spend": ("low-spend", "spenders"),
}
"""Words for little and for much of a family, in the order in which a name says them."""
_NOUN = "spenders"


class ClusterName(NamedTuple):
    """A name of a cluster.

    Attributes:
        text: The name.
        traits: The words of the name, which must stay true.
    """

    text: str
    traits: tuple[str, ...]


def family_of(feature: str) -> tuple[Family, int]:
    """Family of a feature that makes distances, and the direction of the feature in it.

    The direction is 1 where more of the feature is more of the family, else -1.
    """
    return next(found for pattern, found in _FAMILIES.items() if re.fullmatch(pattern, feature))


def deviations_by_family(
    standard: NDArray[np.float64], features: Sequence[str]
) -> list[dict[Family, float]]:
    """How far each centre lies from all users, in standard deviations, by family of features.

    Args:
        standard: The centres in standard deviations, shape (clusters, features).
        features: Names of the features, in the order of the columns.
    """
    families = [family_of(feature) for feature in features]
    oriented = standard * np.array([sign for _, sign in families])
    places = {
        family: [place for place, (own, _) in enumerate(families) if own == family]
        for family in _WORDS
    }
    return [
        {family: float(row[place].mean()) for family, place in places.items() if place}
        for row in oriented
    ]


def name_clusters(
    deviations: Mapping[int, dict[Family, float]], before: Mapping[int, ClusterName]
) -> dict[int, ClusterName]:
    """Give each cluster a name that no other has: yesterday's while it is true, else a new one.

    Args:
        deviations: How far each cluster lies from all users, by id; see `deviations_by_family`.
        before: Yesterday's names by id, also of clusters that went.

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
            named[key] = next(one for one in candidates if one.text not in taken)
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
    """Names to choose from: the most striking traits, with more of them, at last with the id."""
    telling = [family for family in deviation if not _goes_without_saying(family, deviation)]
    ranked = sorted(telling, key=lambda family: -abs(deviation[family]))
    true = [family for family in ranked if abs(deviation[family]) >= STILL_TRUE]
    striking = [family for family in true if abs(deviation[family]) >= STRIKING][:TRAITS_A_NAME]
    traits: tuple[str, ...] = ()
    for count in range(len(striking), len(true) + 1):
        chosen = [family for family in _WORDS if family in true[:count]]
        traits = tuple(_word(family, deviation[family]) for family in chosen)
        yield ClusterName(_phrase(traits), traits)
    yield ClusterName(f"{_phrase(traits)} ({key})", traits)


def _goes_without_saying(family: Family, deviation: dict[Family, float]) -> bool:
    """Whether it is the rise of newcomers: the time before they came counts as quiet."""
    return family == "trend" and deviation[family] > 0 and deviation["tenure"] <= -STRIKING


def _word(family: Family, value: float) -> str:
    little, much = _WORDS[family]
    return much if value > 0 else little


def _phrase(traits: Sequence[str]) -> str:
    adjectives = ", ".join(trait for trait in traits if trait != _NOUN)
    noun = _NOUN if _NOUN in traits else ""
    return f"{adjectives} {noun}".strip() or "typical"
