"""Every feature of a game, declared once: how it is computed, grouped and put into words.

Scope: the declarations, the only place to edit when a feature is added. The `user_features` table,
reasons, clusters and their profiles read them from here. Which rows a snapshot may see is decided
in `features`, for all features alike.

A function that computes a feature is given the engine's column functions as `f`, and returns an
aggregate expression over the days of one user that a snapshot sees (`features.known_days`).
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from ds_assets.core import wording
from ds_assets.core.aggregates import latest
from ds_assets.core.feature_columns import (
    FeatureColumn,
    Heading,
    Phrase,
    PhraseValue,
    Topic,
    fixed_topic,
    single_value,
)
from ds_assets.core.measures import ACTIVE_DAYS, Measure, stored_measures
from ds_assets.core.wording import Amount, in_the_last, spoken
from ds_assets.game import Attribute, Game

WEEK, FOUR_WEEKS = 7, 28
"""Windows in days that reasons name, or the nearest ones that a game has."""

_TREND = "trend"
LAST_SEEN = fixed_topic(
    "last_seen",
    Phrase(
        (PhraseValue("days_since_active"), PhraseValue("typical_gap", decimals=1)),
        wording.last_seen,
    ),
)


def days_since_active(f: Any) -> Any:
    """Days since the last active day."""
    return f.min(_active_age(f)).cast("double")


def days_since_purchase(f: Any) -> Any:
    """Days since the last day with a purchase."""
    return f.min(f.when(f.col("purchases") > 0, f.col("age"))).cast("double")


def tenure_days(f: Any) -> Any:
    """Days since the first active day."""
    return f.max(_active_age(f)).cast("double")


def typical_gap(f: Any) -> Any:
    """Mean days from one active day to the next."""
    gaps = f.sum("active_days") - 1
    return f.when(gaps > 0, (tenure_days(f) - days_since_active(f)) / gaps)


def longest_gap(f: Any) -> Any:
    """Most days from one active day to the next."""
    return f.max("gap").cast("double")


def recency_in_gaps(f: Any) -> Any:
    """Days since the last active day, in typical gaps."""
    return days_since_active(f) / typical_gap(f)


def _lookback_features(game: Game) -> tuple[FeatureColumn, ...]:
    """Features over all days that a snapshot sees. To add one, add its function and a line here."""
    days = game.lookback_days
    tenure = Phrase((PhraseValue("tenure_days"),), partial(wording.tenure, days))
    return (
        _feature(
            days_since_active,
            "Days since the last active day.",
            LAST_SEEN,
            family="recency",
            direction=-1,
            profile=7,
            heading=Heading("last seen", "days ago"),
        ),
        _feature(
            days_since_purchase,
            f"Days since the last purchase; null without one in the last {days} days.",
            _purchases_topic(game),
            nullable=True,
            family="spend",
            direction=-1,
            fill=float(days),  # longer ago than any purchase that the look-back shows
        ),
        _feature(
            tenure_days,
            f"Days since the first active day in the last {days} days.",
            fixed_topic("tenure", tenure),
            family="tenure",
            profile=1,
            heading=Heading("known for", "days"),
        ),
        _feature(
            typical_gap,
            "Mean number of days from one active day to the next.",
            LAST_SEEN,
            nullable=True,
            family="activity",
            direction=-1,
            profile=5,
        ),
        _feature(
            longest_gap,
            "Largest number of days from one active day to the next.",
            LAST_SEEN,
            nullable=True,
            family="activity",
            direction=-1,
        ),
        _feature(
            recency_in_gaps,
            "Days since the last active day, divided by the typical gap.",
            LAST_SEEN,
            nullable=True,
            family="recency",
            direction=-1,
        ),
    )


def declare_features(game: Game) -> tuple[FeatureColumn, ...]:
    """All features of a game, in the order of the columns of `user_features`."""
    measures = (ACTIVE_DAYS, *stored_measures(game))
    numeric = (
        *(_window_sum(measure, days, game) for measure in measures for days in game.windows),
        *(_trend(short, long) for short, long in pairwise(game.windows)),
        *_lookback_features(game),
    )
    codes = {_TREND, *(feature.topic.code for feature in numeric)}  # no trend of a single window
    return (
        *numeric,
        *(_attribute(name, kind, codes) for name, kind in game.attributes.items()),
    )


def _feature(
    aggregate: Callable[[Any], Any],
    description: str,
    words: Topic | str,
    *,
    nullable: bool = False,
    **facts: Any,
) -> FeatureColumn:
    """A number that has the name of the function that computes it."""
    return FeatureColumn(
        aggregate.__name__,
        "real",
        description,
        nullable,
        aggregate=aggregate,
        wording=words,
        measure=aggregate.__name__,
        **facts,
    )


def _window_sum(measure: Measure, days: int, game: Game) -> FeatureColumn:
    is_purchases = measure.name == "purchases"
    own_topic = Topic(measure.name, partial(_windows_phrase, measure.amount))
    is_flag = measure is ACTIVE_DAYS and days == 1
    return FeatureColumn(
        f"{measure.name}_{days}d",
        "real",
        f"{'Active' if is_flag else measure.description} {in_the_last(days)}.",
        aggregate=partial(_sum_in_window, measure, days),
        wording=_purchases_topic(game) if is_purchases else own_topic,
        measure=measure.name,
        windows=(days,),
        family=measure.family,
        profile=measure.profile,
        heading=Heading("active days", f"of {days}") if measure is ACTIVE_DAYS else None,
    )


def _purchases_topic(game: Game) -> Topic:
    return Topic("purchases", partial(_purchases_phrase, game.lookback_days))


def _trend(short: int, long: int) -> FeatureColumn:
    return FeatureColumn(
        f"trend_{short}d_{long}d",
        "real",
        f"Share of active days {in_the_last(short)}, divided by that {in_the_last(long)}.",
        nullable=True,
        aggregate=partial(_ratio_of_windows, short, long),
        wording=Topic(_TREND, _trend_phrase),
        measure="trend",
        windows=(short, long),
        family="trend",
        fill=0.0,  # not active in the longer window either: as quiet as can be
        profile=6,
        heading=Heading("trend", "1 is steady", decimals=1),
    )


def _attribute(name: str, attribute: Attribute, codes: set[str]) -> FeatureColumn:
    is_taken = name in codes or name in MEMBERSHIPS or name.startswith(_PREFIXES)
    column = f"last_{name}"
    return FeatureColumn(
        column,
        "real" if attribute.type == "number" else "text",
        f"Latest known value of the attribute {name}, by the time of the event.",
        nullable=True,
        aggregate=partial(latest, time="event_date", value=column),
        wording=single_value(column if is_taken else name, column, f"{spoken(name)} {{}}"),
        measure=name,
    )


_PREFIXES = ("last_", "count_", "sum_")
"""Beginnings of codes that an attribute must not have: those of other features, in any game."""

MEMBERSHIPS = {
    code: fixed_topic(
        code, Phrase((PhraseValue(code, decimals=2),), partial(wording.membership, kind))
    )
    for code, kind in (("cluster", "cluster"), ("user_group", "group"))
}
"""Topics of features that models use and that `user_features` does not hold, by name."""


def undeclared_topic(name: str) -> Topic:
    """The topic of a feature that a stored model uses and the game no longer declares."""
    return single_value(name, name, f"{spoken(name)} {{}}")


def _active_age(f: Any) -> Any:
    return f.when(f.col("active_date").isNotNull(), f.col("age"))


def _sum_in_window(measure: Measure, days: int, f: Any) -> Any:
    values = f.when(f.col("age") < days, f.col(measure.name)).otherwise(f.lit(0.0))
    return measure.total(f, values)


def _ratio_of_windows(short: int, long: int, f: Any) -> Any:
    recent, usual = (
        _sum_in_window(ACTIVE_DAYS, days, f) / f.lit(float(days)) for days in (short, long)
    )
    return f.when(usual > 0, recent / usual)


def _windows_phrase(amount: Amount, features: Sequence[FeatureColumn]) -> Phrase:
    shown = _nearest_windows(features)
    windows = [feature.windows[0] for feature in shown]
    return Phrase(
        tuple(PhraseValue(feature.name, amount.decimals) for feature in shown),
        partial(wording.amounts_in_windows, amount, windows),
    )


def _trend_phrase(features: Sequence[FeatureColumn]) -> Phrase:
    nearest = min(features, key=lambda trend: (abs(trend.windows[0] - WEEK), trend.name))
    return Phrase(
        (PhraseValue(nearest.name, decimals=2),), partial(wording.trend, *nearest.windows)
    )


def _purchases_phrase(lookback: int, features: Sequence[FeatureColumn]) -> Phrase:
    windowed = [feature for feature in features if feature.windows]
    count, days = "", 0
    if windowed:
        nearest = _nearest_windows(windowed)[0]
        count, days = nearest.name, nearest.windows[0]
    unseen = lookback if len(windowed) < len(features) else days
    return Phrase(
        (PhraseValue(count), PhraseValue("days_since_purchase")),
        partial(wording.purchases, days, unseen),
    )


def _nearest_windows(features: Sequence[FeatureColumn]) -> list[FeatureColumn]:
    """Features of the windows nearest to four weeks and to one; a single one if it is the same."""
    ascending = sorted(features, key=lambda feature: feature.windows)
    far, near = (
        min(ascending, key=lambda feature: abs(feature.windows[0] - days))
        for days in (FOUR_WEEKS, WEEK)
    )
    return [far] if far is near else [far, near]
