"""What features sum over trailing windows, each measure declared once.

Scope: how a measure is counted from a user's events of a day, and what is said about it. The
`user_activity` table stores the measures; `feature_catalog` makes features of them.

A function that counts a measure is given the engine's column functions as `f`, and returns an
aggregate expression over the valid events of one user and event date (`events.events_table`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Literal

from ds_assets.core.aggregates import exact_sum
from ds_assets.core.feature_columns import Family, Topic
from ds_assets.core.topics import purchases_topic, sums_topic
from ds_assets.core.wording import counted, spent, spoken, summed
from ds_assets.game import Events, Game


@dataclass(frozen=True)
class Measure:
    """A number of each user and day that features sum over trailing windows.

    Attributes:
        name: Its column; a feature appends the window, for example `_7d`.
        type: Whether whole numbers or reals are summed.
        description: What the sum is, without the window.
        topic: What its features are about when they are given as a reason.
        on_a_day: What the sum over a single day is, where that is not the description.
        is_recent: Whether features that an earlier version stored lack it.
        family: See `FeatureColumn`.
        profile: See `FeatureColumn`; that of the window of four weeks.
        heading: First line of the heading in the picture of the profiles; empty: not in it.
    """

    name: str
    type: Literal["integer", "real"]
    description: str
    topic: Topic
    on_a_day: str = ""
    is_recent: bool = False
    family: Family | None = None
    profile: int | None = None
    heading: str = ""

    def total(self, f: Any, values: Any) -> Any:
        """Sum of values of the measure; the sum of reals is rounded, so as to be exact."""
        return exact_sum(f, values) if self.type == "real" else f.sum(values)


@dataclass(frozen=True, kw_only=True)
class StoredMeasure(Measure):
    """A measure that is a column of `user_activity`.

    Attributes:
        aggregate: Counts the measure: given the engine's column functions, an aggregate expression
            over the events of one user and event date.
    """

    aggregate: Callable[[Any], Any]


ACTIVE_DAYS = Measure(
    "active_days",
    "integer",
    "Active days",
    sums_topic("active_days", counted("active day"), "activity", bound_per_day=1),
    on_a_day="Active",
    family="activity",
    profile=2,
    heading="active days",
)
"""Made of `activities` where the days of a snapshot are known, see `features.known_days`."""


def purchase_days(game: Game) -> Measure:
    """Days with a purchase, however many events a basket has; made where `ACTIVE_DAYS` is made.

    A purchase on a closed day counts: unlike a day without activity, it is a fact about the user.
    """
    return Measure(
        "purchase_days",
        "integer",
        "Days with a purchase",
        purchases_topic(game.lookback_days),
        on_a_day="Whether there was a purchase",
        is_recent=True,
    )


def stored_measures(game: Game) -> tuple[StoredMeasure, ...]:
    """Measures that `user_activity` stores, in the order of its columns."""
    return (
        StoredMeasure(
            "events",
            "integer",
            "Events",
            sums_topic("events", counted("event"), "activity"),
            family="activity",
            profile=4,
            aggregate=_count_all,
        ),
        StoredMeasure(
            "sessions",
            "integer",
            "Sessions",
            sums_topic("sessions", counted("session"), "activity"),
            family="activity",
            profile=3,
            aggregate=partial(count_types, game.events.sessions),
        ),
        StoredMeasure(
            "purchases",
            "integer",
            "Purchases",
            purchases_topic(game.lookback_days),
            family="spend",
            profile=9,
            aggregate=partial(_count_purchases, game.events),
        ),
        StoredMeasure(
            "spend",
            "real",
            "Spend",
            sums_topic("spend", spent(game.report_currency), "spend"),
            family="spend",
            profile=8,
            aggregate=partial(_spend, game.events),
        ),
        *(_counted_events(name, types) for name, types in game.events.counted.items()),
        *(_summed_property(name) for name in game.properties),
    )


def count_types(types: Sequence[str], f: Any) -> Any:
    """Number of events of any of some types."""
    return f.count(f.when(_is_any_of(types, f), f.lit(1)))


def _count_all(f: Any) -> Any:
    return f.count("*")


def count_activities(events: Events, f: Any) -> Any:
    """Number of events that are activity of the user."""
    return f.count(f.when(is_activity(events, f), f.lit(1)))


def is_activity(events: Events, f: Any) -> Any:
    """Whether an event is activity of the user; a refund is one of the shop."""
    if events.activity is not None:
        return _is_any_of(events.activity, f)
    return ~_is_any_of((*events.refunds, *events.passive), f)


def count_refunds(events: Events, f: Any) -> Any:
    """Number of events that reduce spend."""
    is_negative = _is_any_of(events.purchases, f) & (f.col("amount") < 0)
    return f.count(f.when(_is_any_of(events.refunds, f) | is_negative, f.lit(1)))


def _count_purchases(events: Events, f: Any) -> Any:
    amount = f.col("amount")
    is_paid = amount >= 0 if events.free_purchases else amount > 0
    is_purchase = _is_any_of(events.purchases, f) & (amount.isNull() | is_paid)
    return f.count(f.when(is_purchase, f.lit(1)))


def _spend(events: Events, f: Any) -> Any:
    amount = f.col("amount")
    paid = f.when(_is_any_of(events.purchases, f), amount)
    return _total(f, paid.when(_is_any_of(events.refunds, f), -f.abs(amount)))


def _sum_of_property(name: str, f: Any) -> Any:
    return _total(f, f.col(f"property_{name}"))


def _counted_events(name: str, types: Sequence[str]) -> StoredMeasure:
    code = f"count_{name}"
    return StoredMeasure(
        code,
        "integer",
        f"Events of type {' or '.join(types)}",
        sums_topic(code, counted(f"{spoken(name)} event")),
        aggregate=partial(count_types, types),
    )


def _summed_property(name: str) -> StoredMeasure:
    code = f"sum_{name}"
    return StoredMeasure(
        code,
        "real",
        f"Sum of the property {name}",
        sums_topic(code, summed(spoken(name))),
        aggregate=partial(_sum_of_property, name),
    )


def _is_any_of(types: Sequence[str], f: Any) -> Any:
    conditions = [f.col("event_type") == f.lit(name) for name in types]
    return reduce(lambda left, right: left | right, conditions, f.lit(False))


def _total(f: Any, values: Any) -> Any:
    return f.coalesce(exact_sum(f, values), f.lit(0.0))
