"""Every feature of a game, declared once: how it is computed, grouped and put into words.

Scope: the declarations, the only place to edit when a feature is added. The `user_features` table,
reasons, clusters and their profiles read them from here. Which rows a snapshot may see is decided
in `features`, for all features alike.

A function that computes a feature is given the engine's column functions as `f`, and returns an
aggregate expression over the days of one user that a snapshot sees (`features.known_days`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Literal

from ds_assets.core import wording
from ds_assets.core.aggregates import exact_sum, latest
from ds_assets.core.feature_columns import (
    Family,
    FeatureColumn,
    Heading,
    Phrase,
    PhraseValue,
    Topic,
    fixed_topic,
    single_value,
)
from ds_assets.core.wording import Amount, counted, in_the_last, summed
from ds_assets.game import Attribute, Game

WEEK, FOUR_WEEKS = 7, 28
"""Windows, in days, that words name; the nearest ones are taken where a game has others."""

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


@dataclass(frozen=True)
class Measure:
    """A number of each user and day that features sum over trailing windows.

    Attributes:
        name: Column of the days; `_7d` and so on is appended for a feature.
        type: Whether sums are of whole numbers or of reals.
        description: What the sum is, without the window.
        amount: How the sum is said.
        one_day: What the sum over one day is, where that is not the description.
        family: See `FeatureColumn`.
        profile: See `FeatureColumn`.
        heading: First line of its heading in the picture of the profiles.
    """

    name: str
    type: Literal["integer", "real"]
    description: str
    amount: Amount
    one_day: str = ""
    family: Family | None = None
    profile: int | None = None
    heading: str = ""


ACTIVE_DAYS = Measure(
    "active_days",
    "integer",
    "Active days",
    counted("active day"),
    one_day="Active",
    family="activity",
    profile=2,
    heading="active days",
)


def stored_measures(game: Game) -> tuple[Measure, ...]:
    """Measures that are columns of `user_activity`."""
    return (
        Measure("events", "integer", "Events", counted("event"), family="activity", profile=4),
        Measure(
            "sessions", "integer", "Sessions", counted("session"), family="activity", profile=3
        ),
        Measure("purchases", "integer", "Purchases", wording.PURCHASES, family="spend", profile=9),
        Measure("spend", "real", "Spend", wording.SPENT, family="spend", profile=8),
        *(
            Measure(
                f"count_{name}",
                "integer",
                f"Events of type {name}",
                counted(f"{_spoken(name)} event"),
            )
            for name in game.events.counted
        ),
        *(
            Measure(f"sum_{name}", "real", f"Sum of the property {name}", summed(_spoken(name)))
            for name in game.properties
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


def sum_measure(f: Any, measure: Measure, values: Any) -> Any:
    """Sum of a measure: whole numbers add up exactly, reals are rounded to do so."""
    return exact_sum(f, values) if measure.type == "real" else f.sum(values)


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
        **facts,
    )


def _window_sum(measure: Measure, days: int, game: Game) -> FeatureColumn:
    is_purchases = measure.name == "purchases"
    own_topic = Topic(measure.name, partial(_windows_phrase, measure.amount))
    subject = measure.one_day if days == 1 and measure.one_day else measure.description
    return FeatureColumn(
        f"{measure.name}_{days}d",
        "real",
        f"{subject} {in_the_last(days)}.",
        aggregate=partial(_sum_in_window, measure, days),
        wording=_purchases_topic(game) if is_purchases else own_topic,
        measure=measure.name,
        windows=(days,),
        family=measure.family,
        profile=measure.profile,
        heading=Heading(measure.heading, f"of {days}") if measure.heading else None,
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
        wording=single_value(column if is_taken else name, column, f"{_spoken(name)} {{}}"),
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
    return single_value(name, name, f"{_spoken(name)} {{}}")


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _active_age(f: Any) -> Any:
    return f.when(f.col("active_date").isNotNull(), f.col("age"))


def _sum_in_window(measure: Measure, days: int, f: Any) -> Any:
    values = f.when(f.col("age") < days, f.col(measure.name)).otherwise(f.lit(0.0))
    return sum_measure(f, measure, values)


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
    nearest = min(features, key=lambda one: (abs(one.windows[0] - WEEK), one.name))
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
    ascending = sorted(features, key=lambda one: one.windows)
    far, near = (
        min(ascending, key=lambda one: abs(one.windows[0] - days)) for days in (FOUR_WEEKS, WEEK)
    )
    return [far] if far is near else [far, near]
