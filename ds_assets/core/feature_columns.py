"""How a feature is declared: a column of `user_features` with all that is said about it.

Scope: the types of a declaration. The declarations themselves are in `feature_catalog`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from ds_assets.core.engagement import Engagement
from ds_assets.core.schema import Column
from ds_assets.core.wording import fill

Family = Literal["recency", "tenure", "activity", "trend", "spend"]
"""What a feature says about a user. Each family weighs the same in distances between users."""


class PhraseValue(NamedTuple):
    """A value that a phrase shows.

    Attributes:
        feature: Name of the feature.
        decimals: Digits after the point.
    """

    feature: str
    decimals: int = 0


@dataclass(frozen=True)
class Phrase:
    """What is said about a user.

    Attributes:
        shown: The values that the words show; that of a feature which the model does not use is
            missing.
        words: Makes the words from those values, in this order.
        engagement: What the words say of the user's engagement; None: nothing.
    """

    shown: tuple[PhraseValue, ...]
    words: Callable[..., str]
    engagement: Engagement | None = None


@dataclass(frozen=True)
class Topic:
    """Features that say the same thing about a user and are given as one reason.

    Attributes:
        code: Stable code of the reason.
        phrase: Chooses what is said, from those features of the topic that a model uses.
        family: Topics of one family move together, and are one reason with the words of one of
            them; empty: a family of its own.
    """

    code: str
    phrase: Callable[[Sequence["FeatureColumn"]], Phrase]
    family: Literal["activity", "spend", ""] = ""


class Heading(NamedTuple):
    """Head of a feature's column in the picture of the cluster profiles.

    Attributes:
        text: The first line.
        unit: The second line.
        decimals: Digits after the point; None: as many as the size of the number calls for.
    """

    text: str
    unit: str
    decimals: int | None = None


@dataclass(frozen=True, kw_only=True)
class FeatureColumn(Column):
    """A column of `user_features`.

    Attributes:
        aggregate: Computes the feature: given the engine's column functions, an aggregate
            expression over the rows of `features.known_days` of one user; or, of a lifetime, an
            expression over its columns.
        wording: How the feature is given as a reason: a topic that it shares with others; or a
            text with `{}` for its value, of a feature that is a reason of its own.
        measure: What is measured; the same for all windows.
        windows: Trailing windows in days: one for a sum, two for a trend, none for the whole
            look-back.
        is_of_lifetime: Whether it is computed from the user's lifetime (`core.lifetimes`).
        is_cumulative: Whether it only grows as an account ages, whatever its user does: an age, a
            total or a maximum of all that is known. It is not compared for drift, as in an older
            game all values are larger.
        family: Family in cluster distances and cluster names; None: not used for clusters.
        direction: 1 where a larger value means more of the family, -1 where it means less.
        fill: What a missing value stands for in distances; None: the median.
        profile: Position among the typical values of a cluster profile; None: not among them.
        heading: Head of its column in the picture of the profiles; None: not in the picture.
    """

    aggregate: Callable[[Any], Any]
    wording: Topic | str
    measure: str
    windows: tuple[int, ...] = ()
    is_of_lifetime: bool = False
    is_cumulative: bool = False
    family: Family | None = None
    direction: Literal[1, -1] = 1
    fill: float | None = None
    profile: int | None = None
    heading: Heading | None = None

    @property
    def topic(self) -> Topic:
        """What the feature is about when it is given as a reason."""
        if isinstance(self.wording, Topic):
            return self.wording
        return single_value(self.name, self.name, self.wording)


def single_value(code: str, feature: str, template: str) -> Topic:
    """The topic of a feature that is a reason of its own.

    Args:
        code: Code of the reason.
        feature: Name of the feature.
        template: Words with `{}` for the value, for example `level {}`.
    """
    return fixed_topic(code, Phrase((PhraseValue(feature, decimals=2),), partial(fill, template)))


def fixed_topic(code: str, phrase: Phrase, family: Literal["activity", "spend", ""] = "") -> Topic:
    """A topic with one phrase, whichever of its features a model uses."""
    return Topic(code, partial(_constant, phrase), family)


def _constant(phrase: Phrase, _: Sequence[FeatureColumn]) -> Phrase:
    return phrase
