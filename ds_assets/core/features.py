"""Features of each active user as known at the end of a day.

Scope: who is in a snapshot, and which rows of a user's activity a snapshot sees. How each feature
is computed from these rows is declared in `feature_catalog`.

The rule of this file: features of day D see only what arrived and happened on or before D.
"""

import datetime as dt
from typing import Any

from ds_assets.core.aggregates import latest_attribute
from ds_assets.core.engine import DataFrame, Engine, plan_once
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import ACTIVITY_TIME
from ds_assets.core.measures import stored_measures
from ds_assets.core.open_days import is_open, open_days_between, subtract_open_days
from ds_assets.game import Game


def arrival_days(snapshot: dt.date, game: Game) -> tuple[dt.date, dt.date]:
    """First and last arrival day that the features of a snapshot can need.

    One day more than the longest window: with a clock that runs ahead, an event can arrive on the
    day before its own date.
    """
    return subtract_open_days(snapshot, game.lookback_days, game.closed_days), snapshot


@plan_once
def user_features(
    activity: DataFrame, snapshots: DataFrame, game: Game, engine: Engine
) -> DataFrame:
    """Describe each user who is active at each snapshot.

    A user is active who has an activity event dated in the `active_days` open days that end with
    the snapshot and that arrived by then.

    Args:
        activity: dt and the columns of `user_activity_table(game)`, at least for the arrival days
            of every snapshot; further days make no difference.
        snapshots: Column snapshot: the days at whose end users are described.
        game: Declares the features, and who counts as active.
        engine: Engine that runs it.

    Returns:
        snapshot and the columns of `user_features_table(game)`.
    """
    f = engine.functions
    declared = declare_features(game)
    days = known_days(activity, snapshots, game, engine)
    users = days.groupBy("snapshot", "user_id").agg(
        *(feature.aggregate(f).alias(feature.name) for feature in declared)
    )
    return users.where(f.col("days_since_active") < game.active_days)


def known_days(activity: DataFrame, snapshots: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """What each snapshot knows of each user and event date: the rows that features aggregate.

    Returns:
        Columns snapshot, user_id, event_date; the sum of each measure that is stored; `last_` and
        the name of each attribute; `age`, open days from the event date to the snapshot; `hours`,
        on a day with activity, hours of open days from the last one to the end of the snapshot;
        `logged_days`, open days of logs up to and with the snapshot;
        `active_date`, the event date of a day with activity, else null; `active_days`, 1 on such a
        day, else 0; `gap`, on such a day, open days since the user's previous one; `purchase_days`,
        1 on a day with a purchase, else 0. A closed day has the age of the open day before it. It
        is not an active day, but a user with an event then has been seen.
    """
    f = engine.functions
    days = _select_arrived(activity, snapshots, game, engine)
    is_active = f.col("activities") > 0
    is_active_day = is_active & is_open(f, f.col("event_date"), game.closed_days)
    age = _age(game, f)
    order = engine.window.partitionBy("snapshot", "user_id").orderBy("event_date")
    before = order.rowsBetween(engine.window.unboundedPreceding, -1)
    gap = f.min(f.when(is_active, age)).over(before) - age
    # A single step: each further step of a frame costs planning time, whatever it does.
    return days.select(
        *("snapshot", "user_id", "event_date"),
        *(measure.name for measure in stored_measures(game)),
        *(f"last_{name}" for name in game.attributes),
        age.alias("age"),
        _hours_since(f, f.col(ACTIVITY_TIME), age).alias("hours"),
        _logged_days(game, f).alias("logged_days"),
        f.when(is_active, f.col("event_date")).alias("active_date"),
        f.when(is_active_day, f.lit(1.0)).otherwise(f.lit(0.0)).alias("active_days"),
        f.when(is_active_day, gap).alias("gap"),
        f.when(f.col("purchases") > 0, f.lit(1.0)).otherwise(f.lit(0.0)).alias("purchase_days"),
    )


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
    return arrived.groupBy("snapshot", "user_id", "event_date").agg(
        f.sum("activities").alias("activities"),
        _latest_activity(f).alias(ACTIVITY_TIME),
        *(
            measure.total(f, f.col(measure.name)).cast("double").alias(measure.name)
            for measure in stored_measures(game)
        ),
        # Days that were stored by version 0.1.0 have texts without a bound.
        *(
            latest_attribute(f, name, "last_time", f"last_{name}", game).alias(f"last_{name}")
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
