"""Every feature of a game, declared once: how it is computed, grouped and put into words.

Scope: the declarations, the only place to edit when a feature is added. The `user_features` table,
reasons, clusters and their profiles read them from here. Which rows a snapshot may see is decided
in `features`, for all features alike; what is counted per day is declared in `measures`.

A function that computes a feature is given the engine's column functions as `f`, and returns an
aggregate expression over the days of one user that a snapshot sees (`features.known_days`).
"""

import datetime as dt
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from ds_assets.core.aggregates import latest
from ds_assets.core.feature_columns import FeatureColumn, Heading, Topic, single_value
from ds_assets.core.lifetimes import DECAYED, HALF_LIVES
from ds_assets.core.measures import ACTIVE_DAYS, Measure, purchase_days, stored_measures
from ds_assets.core.open_days import open_days_between
from ds_assets.core.topics import LAST_SEEN, MEMBERSHIPS, TREND, purchases_topic, tenure_topic
from ds_assets.core.wording import in_the_last, spoken
from ds_assets.game import Attribute, Game


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
    return f.max("active_gap").cast("double")


def recency_in_gaps(f: Any) -> Any:
    """Days since the last active day, in typical gaps."""
    return days_since_active(f) / typical_gap(f)


def hours_since_active(f: Any) -> Any:
    """Hours since the last activity."""
    return f.min("hours").cast("double")


def hours_in_gaps(f: Any) -> Any:
    """Hours since the last activity, in typical gaps."""
    return hours_since_active(f) / (typical_gap(f) * f.lit(24.0))


def _lookback_features(game: Game) -> tuple[FeatureColumn, ...]:
    """Features over all days that a snapshot sees. To add one, add its function and a line here."""
    days = game.lookback_days
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
            purchases_topic(days),
            nullable=True,
            family="spend",
            direction=-1,
            fill=float(days),  # longer ago than any purchase that the look-back shows
        ),
        _feature(
            tenure_days,
            f"Days since the first active day in the last {days} days.",
            tenure_topic(days),
            is_cumulative=True,
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
        _feature(
            hours_since_active,
            "Hours from the last activity event to the end of the day.",
            LAST_SEEN,
            nullable=True,
            is_recent=True,
        ),
        _feature(
            hours_in_gaps,
            "Hours from the last activity event to the end of the day, divided by the typical gap.",
            LAST_SEEN,
            nullable=True,
            is_recent=True,
        ),
    )


def _lifetime_features(game: Game) -> tuple[FeatureColumn, ...]:
    """Features over the whole history of a user, which a roll-up and the days since it show."""
    purchases = purchases_topic(game.lookback_days)
    measures = {it.name: it for it in (ACTIVE_DAYS, purchase_days(game), *stored_measures(game))}
    return (
        _of_lifetime(
            "lifetime_days",
            partial(_open_days_since, "first_active_date", game),
            "Days since the first active day of all.",
            tenure_topic(game.lookback_days),
            is_cumulative=True,
        ),
        *map(_total, measures.values()),
        *_rhythm("active", "active day", LAST_SEEN, game),
        *_rhythm("purchase", "day with a purchase", purchases, game),
        *(_rate(measures[name], days, game) for name in DECAYED for days in HALF_LIVES),
    )


def declare_features(game: Game) -> tuple[FeatureColumn, ...]:
    """All features of a game, in the order of the columns of `user_features`."""
    measures = (ACTIVE_DAYS, *stored_measures(game), purchase_days(game))
    numeric = (
        *(_window_sum(measure, days) for measure in measures for days in game.windows),
        *(_trend(short, long) for short, long in pairwise(game.windows)),
        *_lookback_features(game),
        *_lifetime_features(game),
    )
    codes = {
        TREND.code,
        *(feature.topic.code for feature in numeric),
    }  # no trend of a single window
    return (
        *numeric,
        *(_attribute(name, kind, codes) for name, kind in game.attributes.items()),
    )


def find_filling_features(day: dt.date, game: Game) -> frozenset[str]:
    """Features whose window on a day reaches back before the first day of the game's logs.

    Such a window still grows from day to day, for reasons that have nothing to do with users.
    Attributes are never among them: their latest value needs no whole window.
    """
    logged_days = count_logged_days(day, game)
    attributes = {f"last_{name}" for name in game.attributes}
    return frozenset(
        feature.name
        for feature in declare_features(game)
        if feature.name not in attributes
        and max(feature.windows, default=game.lookback_days) > logged_days
    )


def count_logged_days(day: dt.date, game: Game) -> int:
    """Count the days from the first one of the game's logs to a day, both included."""
    return (day - game.first_day).days + 1


def find_cumulative_features(game: Game) -> frozenset[str]:
    """Features that only grow as an account ages, so that they are not compared for drift."""
    return frozenset(it.name for it in declare_features(game) if it.is_cumulative)


def find_sums(game: Game) -> dict[str, int]:
    """Find the features that are sums over a trailing window, with its length in days."""
    return {
        feature.name: feature.windows[0]
        for feature in declare_features(game)
        if len(feature.windows) == 1
    }


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


def _of_lifetime(
    name: str,
    value: Callable[[Any], Any],
    description: str,
    topic: Topic,
    *,
    is_cumulative: bool = False,
) -> FeatureColumn:
    return FeatureColumn(
        name,
        "real",
        description,
        nullable=True,
        is_recent=True,
        is_of_lifetime=True,
        is_cumulative=is_cumulative,
        aggregate=value,
        wording=topic,
        measure=name,
    )


def _total(measure: Measure) -> FeatureColumn:
    return _of_lifetime(
        f"lifetime_{measure.name}",
        partial(_column, measure.name),
        f"{measure.description} over the whole history.",
        measure.topic,
        is_cumulative=True,
    )


def _rate(measure: Measure, half_life: int, game: Game) -> FeatureColumn:
    return _of_lifetime(
        f"{measure.name}_rate_{half_life}d",
        partial(_decayed_rate, measure.name, half_life, game),
        f"{measure.description} per day since the first active day, where a day has half the "
        f"weight of one {half_life} days later.",
        measure.topic,
    )


def _rhythm(kind: str, noun: str, topic: Topic, game: Game) -> tuple[FeatureColumn, ...]:
    """Gaps over the whole history from one day of a kind to the next, and the present one."""
    gap = f"lifetime_{kind}_gap"
    return (
        _of_lifetime(
            f"lifetime_days_since_{kind}",
            partial(_open_days_since, f"last_{kind}_date", game),
            f"Days since the last {noun} of all.",
            topic,
        ),
        _of_lifetime(
            gap,
            partial(_mean_gap, kind, game),
            f"Mean number of days from one {noun} to the next over the whole history.",
            topic,
        ),
        _of_lifetime(
            f"{gap}_deviation",
            partial(_gap_deviation, kind, game),
            f"Standard deviation of the days from one {noun} to the next.",
            topic,
        ),
        _of_lifetime(
            f"longest_{gap}",
            partial(_column, f"longest_{kind}_gap"),
            f"Largest number of days from one {noun} to the next over the whole history.",
            topic,
            is_cumulative=True,
        ),
        _of_lifetime(
            f"{gap}s_since",
            partial(_gaps_since, kind, game),
            f"Days since the last {noun}, divided by their mean gap over the whole history.",
            topic,
        ),
    )


def _window_sum(measure: Measure, days: int) -> FeatureColumn:
    subject = measure.on_a_day if days == 1 else measure.description
    return FeatureColumn(
        f"{measure.name}_{days}d",
        "real",
        f"{subject or measure.description} {in_the_last(days)}.",
        nullable=measure.is_recent,
        is_recent=measure.is_recent,
        aggregate=partial(_sum_in_window, measure, days),
        wording=measure.topic,
        measure=measure.name,
        windows=(days,),
        family=measure.family,
        profile=measure.profile,
        heading=Heading(measure.heading, f"of {days}") if measure.heading else None,
    )


def _trend(short: int, long: int) -> FeatureColumn:
    return FeatureColumn(
        f"trend_{short}d_{long}d",
        "real",
        f"Share of active days {in_the_last(short)}, divided by that {in_the_last(long)}.",
        nullable=True,
        aggregate=partial(_ratio_of_windows, short, long),
        wording=TREND,
        measure=TREND.code,
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
        aggregate=partial(_latest_by_date, column),
        wording=single_value(column if is_taken else name, column, f"{spoken(name)} {{}}"),
        measure=name,
    )


def _latest_by_date(column: str, f: Any) -> Any:
    return latest(f, [f.col("event_date")], column)


_PREFIXES = ("last_", "count_", "sum_")
"""Beginnings of codes that an attribute must not have: those of other features, in any game."""


def _active_age(f: Any) -> Any:
    return f.when(f.col("active_date").isNotNull(), f.col("age"))


def _sum_in_window(measure: Measure, days: int, f: Any) -> Any:
    values = f.when(f.col("age") < days, f.col(measure.name)).otherwise(f.lit(0.0))
    return measure.total(f, values)


def _ratio_of_windows(short: int, long: int, f: Any) -> Any:
    """Divide active days per day of two windows, of which only days with logs count.

    Else everyone would come more often, and less so from week to week, in the first weeks of logs.
    """
    recent, usual = (
        _sum_in_window(ACTIVE_DAYS, days, f) / f.least(f.lit(days), f.max("logged_days"))
        for days in (short, long)
    )
    return f.when(usual > 0, recent / usual)


def _column(name: str, f: Any) -> Any:
    return f.col(name).cast("double")


def _open_days_since(date: str, game: Game, f: Any) -> Any:
    return open_days_between(f, f.col(date), f.col("snapshot"), game.closed_days).cast("double")


def _mean_gap(kind: str, game: Game, f: Any) -> Any:
    first, last = f.col(f"first_{kind}_date"), f.col(f"last_{kind}_date")
    gaps = f.col(f"{kind}_days") - 1
    return f.when(gaps > 0, open_days_between(f, first, last, game.closed_days) / gaps)


def _gap_deviation(kind: str, game: Game, f: Any) -> Any:
    gaps, mean = f.col(f"{kind}_days") - 1, _mean_gap(kind, game, f)
    variance = f.col(f"{kind}_gap_squares") / gaps - mean * mean
    return f.when(gaps > 1, f.sqrt(f.greatest(variance, f.lit(0.0))))


def _gaps_since(kind: str, game: Game, f: Any) -> Any:
    mean = _mean_gap(kind, game, f)
    return f.when(mean > 0, _open_days_since(f"last_{kind}_date", game, f) / mean)


def _decayed_rate(measure: str, half_life: int, game: Game, f: Any) -> Any:
    """Decayed sum, divided by what it would be with one on each day since the first active day."""
    ratio = 0.5 ** (1 / half_life)
    days = _open_days_since("first_active_date", game, f) + 1
    most = (1 - f.pow(f.lit(ratio), days)) / f.lit(1 - ratio)
    return f.col(f"{measure}_decayed_{half_life}d") / most
