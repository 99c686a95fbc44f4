"""What reasons are about: features that say the same thing about a user, and how it is said.

Scope: the topics that several features share, and those of features that the game does not declare.
From values to text is in `wording`.
"""

from collections.abc import Sequence
from functools import partial
from math import inf
from typing import Literal

from ds_assets.core import engagement, wording
from ds_assets.core.feature_columns import (
    FeatureColumn,
    Phrase,
    PhraseValue,
    Topic,
    fixed_topic,
    single_value,
)
from ds_assets.core.wording import Amount, spoken

WEEK, FOUR_WEEKS = 7, 28
"""Windows in days that are named, or the nearest ones that a game has."""


def sums_topic(
    measure: str,
    amount: Amount,
    family: Literal["activity", "spend", ""] = "",
    bound_per_day: float = inf,
) -> Topic:
    """The topic of sums of a measure over windows.

    Args:
        measure: What is summed.
        amount: How a sum is said.
        family: See `Topic`; a sum without a family, such as one of crashes, says nothing of the
            user's engagement.
        bound_per_day: Largest amount of a day.
    """
    return Topic(measure, partial(_sums_phrase, amount, family, bound_per_day), family)


def purchases_topic(lookback: int) -> Topic:
    """The topic of purchases, of which features see a number of days."""
    return Topic("purchases", partial(_purchases_phrase, lookback), "spend")


def tenure_topic(lookback: int) -> Topic:
    """The topic of a user's first day, of which features see a number of days."""
    return Topic("tenure", partial(_tenure_phrase, lookback))


def _tenure_phrase(lookback: int, features: Sequence[FeatureColumn]) -> Phrase:
    if any(feature.is_of_lifetime for feature in features):  # which sees the first day of all
        return Phrase((PhraseValue("lifetime_days"),), partial(wording.tenure, 0))
    return Phrase((PhraseValue("tenure_days"),), partial(wording.tenure, lookback))


def _sums_phrase(
    amount: Amount, family: str, bound_per_day: float, features: Sequence[FeatureColumn]
) -> Phrase:
    shown = _nearest_windows(features)
    windows = tuple(feature.windows[0] for feature in shown)
    says = partial(engagement.of_sums, windows, bound_per_day) if family else None
    if not shown:
        total = next((it.name for it in features if it.name.startswith("lifetime_")), "")
        shown_total = (PhraseValue(total, amount.decimals),)
        return Phrase(shown_total, partial(wording.amount_in_all, amount), says)
    return Phrase(
        tuple(PhraseValue(feature.name, amount.decimals) for feature in shown),
        partial(wording.amounts_in_windows, amount, windows),
        says,
    )


def _trend_phrase(features: Sequence[FeatureColumn]) -> Phrase:
    nearest = min(features, key=lambda trend: (abs(trend.windows[0] - WEEK), trend.name))
    return Phrase(
        (PhraseValue(nearest.name, decimals=2),),
        partial(wording.trend, *nearest.windows),
        engagement.of_trend,
    )


def _purchases_phrase(lookback: int, features: Sequence[FeatureColumn]) -> Phrase:
    counts = [feature for feature in features if feature.measure == "purchases"]
    count, days = "", 0
    if counts:
        nearest = _nearest_windows(counts)[0]
        count, days = nearest.name, nearest.windows[0]
    unseen = days if all(feature.windows for feature in features) else lookback
    return Phrase(
        (PhraseValue(count), PhraseValue("days_since_purchase")),
        partial(wording.purchases, days, unseen),
        partial(engagement.of_purchases, unseen),
    )


def _nearest_windows(features: Sequence[FeatureColumn]) -> list[FeatureColumn]:
    """Features of the windows nearest to four weeks and to one, each once; none without windows."""
    windowed = (feature for feature in features if feature.windows)
    ascending = sorted(windowed, key=lambda feature: feature.windows)
    if not ascending:
        return []
    far, near = (
        min(ascending, key=lambda feature: abs(feature.windows[0] - days))
        for days in (FOUR_WEEKS, WEEK)
    )
    return [far] if far is near else [far, near]


LAST_SEEN = fixed_topic(
    "last_seen",
    Phrase(
        (PhraseValue("days_since_active"), PhraseValue("typical_gap", decimals=1)),
        wording.last_seen,
        engagement.of_last_seen,
    ),
    "activity",
)
TREND = Topic("trend", _trend_phrase, "activity")
MEMBERSHIPS = {
    code: fixed_topic(
        code, Phrase((PhraseValue(code, decimals=2),), partial(wording.membership, kind))
    )
    for code, kind in (("cluster", "cluster"), ("user_group", "group"))
}
"""Topics of features that models use and that `user_features` does not hold, by name."""


_IN_WORDS = {
    "last_seen": "time since the last visit",
    "tenure": "time since the first visit",
    "trend": "coming more or less often",
}
_ENDINGS = {"count_": " events", "sum_": "", "last_": ""}
"""What follows the name of what is counted, summed or known latest, by the beginning of a code."""


def describe_topic(code: str) -> str:
    """What a topic is about, without a user's values: "time since the last visit", "spend"."""
    for beginning, ending in _ENDINGS.items():
        if code.startswith(beginning) and code not in _IN_WORDS:
            return f"{spoken(code.removeprefix(beginning))}{ending}"
    return _IN_WORDS.get(code, spoken(code))


def undeclared_topic(name: str) -> Topic:
    """The topic of a feature that a stored model uses and the game no longer declares."""
    return single_value(name, name, f"{spoken(name)} {{}}")
