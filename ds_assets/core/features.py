"""Features of each active user as known at the end of a day.

Scope: who is in a snapshot, and which rows of a user's activity a snapshot sees. How each feature
is computed from these rows is declared in `feature_catalog`.

The rule of this file: features of day D see only what arrived and happened on or before D.
"""

import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ds_assets.core.aggregates import latest_attribute
from ds_assets.core.engine import DataFrame, Engine, plan_once
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import ACTIVITY_TIME
from ds_assets.core.known_days import describe_days
from ds_assets.core.lifetimes import (
    continue_lifetimes,
    last_covered_date,
    rename_earlier,
    sum_measures,
    summarize,
)
from ds_assets.core.local_clock import order_of_last_times
from ds_assets.core.measures import stored_measures
from ds_assets.core.open_days import open_days_between, subtract_open_days
from ds_assets.game import Game


def arrival_days(snapshot: dt.date, game: Game) -> tuple[dt.date, dt.date]:
    """First and last arrival day that the features of a snapshot can need, beside its roll-up.

    One day more than the look-back: with a clock that runs ahead, an event can arrive on the day
    before its own date.
    """
    return subtract_open_days(snapshot, game.lookback_days, game.closed_days), snapshot


def frame_of_snapshots(
    roll_ups: Mapping[dt.date, dt.date], engine: Engine
) -> AbstractContextManager[DataFrame]:
    """Open a frame of snapshots, each with the day of the roll-up that its lifetimes continue.

    Returns:
        Columns snapshot, roll_up, and covered: the last date that the roll-up covers.
    """
    rows = [(day, roll_up, last_covered_date(roll_up)) for day, roll_up in sorted(roll_ups.items())]
    return engine.values(rows, "snapshot date, roll_up date, covered date")


@plan_once
def user_features(
    activity: DataFrame, lifetimes: DataFrame, snapshots: DataFrame, game: Game, engine: Engine
) -> DataFrame:
    """Describe each user who is active at each snapshot.

    A user is active who has an activity event dated in the `active_days` open days that end with
    the snapshot and that arrived by then.

    Args:
        activity: dt and the columns of `user_activity_table(game)`, at least for the arrival days
            of every snapshot; further days make no difference.
        lifetimes: dt and the columns of `user_lifetimes_table(game)` of the snapshots' roll-ups; no
            rows for one that does not exist, because activity begins after what it would cover.
        snapshots: Days at whose end users are described; see `frame_of_snapshots`.
        game: Declares the features, and who counts as active.
        engine: Engine that runs it.

    Returns:
        snapshot and the columns of `user_features_table(game)`.
    """
    f = engine.functions
    declared = declare_features(game)
    own = [feature for feature in declared if not feature.is_of_lifetime]
    described = (
        known_days(activity, snapshots, game, engine)
        .groupBy("snapshot", "roll_up", "covered", "user_id")
        .agg(
            *(feature.aggregate(f).alias(feature.name) for feature in own),
            *summarize(f, game, lambda date: date > f.col("covered")),
        )
        .where(f.col("days_since_active") < game.active_days)
    )
    users = engine.step(described)
    earlier = rename_earlier(lifetimes, game, engine)
    is_same = (f.col("roll_up") == f.col("earlier_dt")) & (
        f.col("user_id") == f.col("earlier_user")
    )
    # A step of names alone: SQLFrame cannot tell apart columns of joined frames in expressions.
    joined = users.join(earlier, is_same, "left").select(*users.columns, *earlier.columns)
    both = engine.step(joined)
    with_lifetimes = both.select(
        *("snapshot", "user_id"),
        *(feature.name for feature in own),
        *continue_lifetimes(f, game, "covered", "snapshot"),
    )
    return with_lifetimes.select(
        *("snapshot", "user_id"),
        *(
            feature.aggregate(f).alias(feature.name) if feature.is_of_lifetime else feature.name
            for feature in declared
        ),
    )


def known_days(activity: DataFrame, snapshots: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """What each snapshot knows of each user and event date: the rows that features aggregate.

    Returns:
        The columns of `describe_days`, at the end of the snapshot; roll_up and covered; the sum of
        each measure that is stored; `last_` and the name of each attribute; `hours`, on a day with
        activity, hours of open days from the last one to the end of the snapshot; and
        `logged_days`, open days of logs up to and with the snapshot.
    """
    f = engine.functions
    arrived = _select_arrived(activity, snapshots, game, engine)
    columns = (
        *("roll_up", "covered"),
        *(measure.name for measure in stored_measures(game)),
        *(f"last_{name}" for name in game.attributes),
        _hours_since(f, f.col(ACTIVITY_TIME), _age(game, f)).alias("hours"),
        _logged_days(game, f).alias("logged_days"),
    )
    return engine.step(describe_days(engine.step(arrived), "snapshot", columns, game, engine))


def _select_arrived(
    activity: DataFrame, snapshots: DataFrame, game: Game, engine: Engine
) -> DataFrame:
    """One row for each snapshot, user and event date, of what had arrived and happened by then."""
    f = engine.functions
    arrived = activity.join(
        snapshots,
        (f.col("dt") <= f.col("snapshot"))
        & (f.col("event_date") <= f.col("snapshot"))
        & (_age(game, f) < game.lookback_days),
    )
    return arrived.groupBy("snapshot", "roll_up", "covered", "user_id", "event_date").agg(
        f.sum("activities").alias("activities"),
        _latest_activity(f).alias(ACTIVITY_TIME),
        *sum_measures(f, game),
        # Days that were stored by version 0.1.0 have texts without a bound.
        *(
            latest_attribute(f, name, order_of_last_times(f, game), f"last_{name}", game).alias(
                f"last_{name}"
            )
            for name in game.attributes
        ),
    )


def _age(game: Game, f: Any) -> Any:
    """Open days from the event date to the snapshot."""
    return open_days_between(f, f.col("event_date"), f.col("snapshot"), game.closed_days)


def _logged_days(game: Game, f: Any) -> Any:
    """Open days from the first day of logs to the snapshot, both included."""
    before = f.lit(str(game.first_day - dt.timedelta(days=1))).cast("date")
    return open_days_between(f, before, f.col("snapshot"), game.closed_days)


def _latest_activity(f: Any) -> Any:
    """Time of the last activity among all arrivals of a date.

    Days that were stored by earlier versions lack it. The time of the last event of any type stands
    for it: no earlier, on the same date, and the same where every event is activity.
    """
    time = f.coalesce(f.col(ACTIVITY_TIME), f.col("last_time"))
    return f.max(f.when(f.col("activities") > 0, time))


def _hours_since(f: Any, time: Any, age: Any) -> Any:
    """Hours from a time to the end of the snapshot, by the clock: each day has 24.

    Args:
        f: The engine's column functions.
        time: Column of the time.
        age: Column of the open days from its date to the snapshot.
    """
    seconds = f.hour(time) * 3600 + f.minute(time) * 60 + f.second(time)
    return ((age + 1) * 86400 - seconds) / f.lit(3600.0)
