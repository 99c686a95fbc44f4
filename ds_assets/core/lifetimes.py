"""What is known of each user over the whole history, in a roll-up every four weeks.

A feature that looked back over all stored days would cost more with every day. So the history is
rolled up: each roll-up continues the one before it by four weeks of event dates, and the features
of a day continue the newest roll-up by the days since. A roll-up is made four weeks after the last
date that it covers, so that late events are in it. What arrives later still is in no lifetime.

Scope: which days have a roll-up, what it holds, and how it is continued. The features that are made
of lifetimes are declared in `feature_catalog`.
"""

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ds_assets.core.aggregates import exact_sum, latest
from ds_assets.core.engine import DataFrame, Engine, plan_once
from ds_assets.core.known_days import describe_days
from ds_assets.core.local_clock import order_of_last_times
from ds_assets.core.measures import stored_measures
from ds_assets.core.open_days import is_open, open_days_between
from ds_assets.core.schema import Column, ColumnType, Table
from ds_assets.game import Game

PERIOD_DAYS = 28
"""Days from one roll-up to the next."""
WAIT_DAYS = 28
"""Days from the last date that a roll-up covers to its own day."""
HALF_LIVES = (7, 28, 112)
"""Open days after which something has half its weight in a decayed sum."""

_KINDS = {"active": "active day", "purchase": "day with a purchase"}
"""Kinds of days that have a rhythm."""
DECAYED = {"active_days": "Active days", "purchase_days": "Days with a purchase", "spend": "Spend"}
"""What is added up with weights that decay, in words."""
_EARLIER, _RECENT = "earlier_", "recent_"
"""Beginnings of the names of columns of two spans: up to a roll-up, and after it."""


def newest_roll_up(day: dt.date) -> dt.date:
    """The newest day up to a day on which a roll-up is made."""
    return day - dt.timedelta(days=day.toordinal() % PERIOD_DAYS)


def last_covered_date(roll_up: dt.date) -> dt.date:
    """The last event date that the roll-up of a day covers."""
    return roll_up - dt.timedelta(days=WAIT_DAYS)


def find_roll_ups(first_day: dt.date, day: dt.date) -> list[dt.date]:
    """Days of the roll-ups that can be made by the end of a day, ascending.

    Args:
        first_day: First day with activity; a roll-up that covers no date from then on is not made.
        day: The day.
    """
    newest = newest_roll_up(day)
    periods = (last_covered_date(newest) - first_day).days // PERIOD_DAYS + 1
    return [newest - dt.timedelta(days=PERIOD_DAYS * n) for n in reversed(range(max(0, periods)))]


def user_lifetimes_table(game: Game) -> Table:
    """What is known of each user at a roll-up: a row for each user of the covered dates."""
    return Table(
        "user_lifetimes",
        (
            Column("user_id", "text", "The user."),
            *(column for kind, noun in _KINDS.items() for column in _rhythm_columns(kind, noun)),
            *(
                Column(measure.name, measure.type, f"{measure.description} over the lifetime.")
                for measure in stored_measures(game)
            ),
            *(
                Column(
                    f"{name}_decayed_{days}d",
                    "real",
                    f"{what}, each with half the weight of one {days} open days later.",
                )
                for name, what in DECAYED.items()
                for days in HALF_LIVES
            ),
            *(
                Column(
                    name,
                    "text",
                    "Latest value of the attribute, which may have come with the first event only.",
                    nullable=True,
                    is_recent=True,
                )
                for name in _latest_texts(game)
            ),
        ),
        ("user_id",),
        "What is known of each user over the whole history, every four weeks.",
    )


def _latest_texts(game: Game) -> list[str]:
    """Columns with the latest value of each text attribute, by which cohorts may be formed."""
    return [f"last_{name}" for name, it in game.attributes.items() if it.type == "text"]


def _rhythm_columns(kind: str, noun: str) -> list[Column]:
    def column(name: str, kind_of: ColumnType, description: str, *, nullable: bool) -> Column:
        return Column(name, kind_of, description, nullable)

    return [
        column(f"first_{kind}_date", "date", f"First {noun}.", nullable=True),
        column(f"last_{kind}_date", "date", f"Latest {noun}.", nullable=True),
        column(f"{kind}_days", "integer", f"Number of days: {noun}.", nullable=False),
        column(
            f"{kind}_gap_squares",
            "real",
            f"Sum of the squared open days from one {noun} to the next.",
            nullable=False,
        ),
        column(
            f"longest_{kind}_gap",
            "real",
            f"Most open days from one {noun} to the next.",
            nullable=True,
        ),
    ]


def frame_of_period(roll_up: dt.date, engine: Engine) -> AbstractContextManager[DataFrame]:
    """Open a frame of the dates by which a roll-up continues the one before it.

    Returns:
        A row with the columns roll_up, its day; after, the last date that the roll-up before
        covers; and until, the last date that this one covers.
    """
    before = roll_up - dt.timedelta(days=PERIOD_DAYS)
    period = (roll_up, last_covered_date(before), last_covered_date(roll_up))
    return engine.values([period], "roll_up date, after date, until date")


@plan_once
def roll_up(
    earlier: DataFrame, activity: DataFrame, period: DataFrame, game: Game, engine: Engine
) -> DataFrame:
    """Continue the lifetimes of a roll-up by the dates that the next one covers as well.

    Args:
        earlier: dt and the columns of `user_lifetimes_table(game)` of the roll-up before; no rows
            for the first one.
        activity: dt and the columns of `user_activity_table(game)` of the arrival days from the
            last date that the roll-up before covers, up to the day of this one.
        period: See `frame_of_period`.
        game: Declares the measures, and which days were closed.
        engine: Engine that runs it.

    Returns:
        roll_up and the columns of `user_lifetimes_table(game)`.
    """
    f = engine.functions
    arrived = activity.join(
        period,
        (f.col("dt") <= f.col("roll_up"))
        & (f.col("event_date") > f.col("after"))
        & (f.col("event_date") <= f.col("until")),
    )
    measures = [measure.name for measure in stored_measures(game)]
    texts = _latest_texts(game)
    dates = arrived.groupBy("until", "user_id", "event_date").agg(
        f.sum("activities").alias("activities"),
        *sum_measures(f, game),
        *(latest(f, order_of_last_times(f, game), text).alias(text) for text in texts),
    )
    days = engine.step(describe_days(dates, "until", [*measures, *texts], game, engine))
    summaries = days.groupBy("user_id").agg(
        *summarize(f, game, _is_any),
        *(latest(f, [f.col("event_date")], text).alias(f"{_RECENT}{text}") for text in texts),
    )
    recent = engine.step(summaries)
    before = rename_earlier(earlier, game, engine)
    is_same = f.col("user_id") == f.col(f"{_EARLIER}user")
    both = recent.join(before, is_same, "full").crossJoin(period)
    # A step of names alone: SQLFrame cannot tell apart columns of joined frames in expressions.
    named = engine.step(both.select(*period.columns, *recent.columns, *before.columns))
    return named.select(
        "roll_up",
        f.coalesce(f.col("user_id"), f.col(f"{_EARLIER}user")).alias("user_id"),
        *continue_lifetimes(f, game, "after", "until"),
        *(
            f.coalesce(f.col(f"{_RECENT}{text}"), f.col(f"{_EARLIER}{text}")).alias(text)
            for text in texts
        ),
    )


@plan_once
def count_too_late(activity: DataFrame, period: DataFrame, engine: Engine) -> DataFrame:
    """Count the events that have arrived since the roll-up before, which should cover them.

    Returns:
        A row with the column events.
    """
    f = engine.functions
    since = f.date_sub(f.col("roll_up"), PERIOD_DAYS)
    late = activity.join(period, (f.col("dt") > since) & (f.col("event_date") <= f.col("after")))
    return late.agg(f.coalesce(f.sum("events"), f.lit(0)).alias("events"))


def sum_measures(f: Any, game: Game) -> list[Any]:
    """Aggregates that add up the measures of a date, which may have arrived on several days."""
    return [
        measure.total(f, f.col(measure.name)).cast("double").alias(measure.name)
        for measure in stored_measures(game)
    ]


def rename_earlier(lifetimes: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """The rows of a roll-up, to be joined with what came after it, see `continue_lifetimes`."""
    f = engine.functions
    _, *names = user_lifetimes_table(game).names
    return lifetimes.select(
        f.col("dt").alias(f"{_EARLIER}dt"),
        f.col("user_id").alias(f"{_EARLIER}user"),
        *(f.col(name).alias(f"{_EARLIER}{name}") for name in names),
    )


def summarize(f: Any, game: Game, is_recent: Callable[[Any], Any]) -> list[Any]:
    """Aggregates over days that are recent, by which lifetimes are continued.

    Args:
        f: The engine's column functions.
        game: Declares the measures.
        is_recent: Given a column of dates, whether they lie after the roll-up that is continued.

    Returns:
        The numbers and dates of `user_lifetimes_table(game)`, of rows of `describe_days`, with
        another name.
    """
    is_counted = is_recent(f.col("event_date"))

    def only(value: Any) -> Any:
        return f.when(is_counted, value)

    columns: dict[str, Any] = {}
    for kind in _KINDS:
        date, gap = f.col(f"{kind}_date"), f.col(f"{kind}_gap")
        # A gap that began before the roll-up is measured where lifetimes are continued.
        within = f.when(is_recent(f.col(f"{kind}_before")), gap)
        columns |= {
            f"first_{kind}_date": f.min(only(date)),
            f"last_{kind}_date": f.max(only(date)),
            f"{kind}_days": f.sum(only(f.col(f"{kind}_days"))),
            f"{kind}_gap_squares": f.sum(only(within * within)),
            f"longest_{kind}_gap": f.max(only(within)),
        }
    columns |= {
        measure.name: measure.total(f, only(f.col(measure.name)))
        for measure in stored_measures(game)
    }
    columns |= {
        f"{name}_decayed_{days}d": exact_sum(f, only(f.col(name) * _weight(f, f.col("age"), days)))
        for name in DECAYED
        for days in HALF_LIVES
    }
    return [column.alias(f"{_RECENT}{name}") for name, column in columns.items()]


def continue_lifetimes(f: Any, game: Game, after: str, until: str) -> list[Any]:
    """Columns of lifetimes up to a date, from those up to an earlier one and what came after it.

    Args:
        f: The engine's column functions.
        game: Declares the measures, and which days were closed.
        after: Column of the earlier date.
        until: Column of the later one, to which decayed sums refer.

    Returns:
        The numbers and dates of `user_lifetimes_table(game)`, given rows with those of
        `rename_earlier` and of `summarize`, either of which may be missing for a user.
    """
    pause = open_days_between(f, f.col(after), f.col(until), game.closed_days)

    def total(name: str, weight: Any = None) -> Any:
        before = f.coalesce(f.col(f"{_EARLIER}{name}"), f.lit(0.0))
        earlier = before if weight is None else before * weight
        return earlier + f.coalesce(f.col(f"{_RECENT}{name}"), f.lit(0.0))

    columns: dict[str, Any] = {}
    for kind in _KINDS:
        columns |= _continue_rhythm(f, kind, game, total)
    columns |= {measure.name: total(measure.name) for measure in stored_measures(game)}
    columns |= {
        f"{name}_decayed_{days}d": total(f"{name}_decayed_{days}d", _weight(f, pause, days))
        for name in DECAYED
        for days in HALF_LIVES
    }
    return [column.alias(name) for name, column in columns.items()]


def _continue_rhythm(f: Any, kind: str, game: Game, total: Callable[[str], Any]) -> dict[str, Any]:
    """Columns of one kind of days; the gap from the earlier to the later span is one more."""
    first, last = f"first_{kind}_date", f"last_{kind}_date"
    begun, ended = f.col(f"{_EARLIER}{last}"), f.col(f"{_RECENT}{first}")
    gap = open_days_between(f, begun, ended, game.closed_days)
    if kind == "active":  # a closed day is not an active day, so no gap ends with it
        gap = f.when(is_open(f, ended, game.closed_days), gap)
    longest = f"longest_{kind}_gap"
    return {
        first: f.coalesce(f.col(f"{_EARLIER}{first}"), f.col(f"{_RECENT}{first}")),
        last: f.coalesce(f.col(f"{_RECENT}{last}"), f.col(f"{_EARLIER}{last}")),
        f"{kind}_days": total(f"{kind}_days"),
        f"{kind}_gap_squares": total(f"{kind}_gap_squares") + f.coalesce(gap * gap, f.lit(0.0)),
        longest: f.greatest(f.col(f"{_EARLIER}{longest}"), f.col(f"{_RECENT}{longest}"), gap),
    }


def _weight(f: Any, days: Any, half_life: int) -> Any:
    """Weight of something so many open days ago."""
    return f.pow(f.lit(2.0), -days / f.lit(float(half_life)))


def _is_any(date: Any) -> Any:
    return date.isNotNull()
