"""What each user did: valid events, reduced to one row per arrival day, user and event date.

Scope: `user_activity`, the only reduction of events; everything downstream reads its result.
"""

from ds_assets.core.aggregates import greatest, latest_attribute
from ds_assets.core.engine import DataFrame, Engine, plan_once
from ds_assets.core.game_tables import (
    ACTIVITY_TIME,
    REFUNDS,
    has_refunds,
    stored_activity_table,
)
from ds_assets.core.local_clock import AFTER_SET_BACK, order_of_events, sets_clock_back
from ds_assets.core.measures import (
    count_activities,
    count_refunds,
    count_types,
    is_activity,
    stored_measures,
)
from ds_assets.game import Game


@plan_once
def daily_activity(events: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """Reduce events to one row per arrival day, user and event date.

    Args:
        events: The events frame; rows with a reason are left out.
        game: Declares the measures and attributes.
        engine: Engine that runs it.

    Returns:
        dt and the columns of `stored_activity_table(game)`. An event that arrives later than on its
        own day is in a row of its own event date.
    """
    f = engine.functions
    order = order_of_events(f, game)
    valid = events.where(f.col("reason").isNull())
    grouped = valid.groupBy("dt", "user_id", "event_date").agg(
        *(measure.aggregate(f).alias(measure.name) for measure in stored_measures(game)),
        count_activities(game.events, f).alias("activities"),
        *([count_refunds(game.events, f).alias(REFUNDS)] if has_refunds(game) else []),
        *(
            count_types((kind,), f).alias(f"count_{name}")
            for name, kind in game.target_event_types.items()
        ),
        *(
            latest_attribute(f, name, order, f"attribute_{name}", game).alias(f"last_{name}")
            for name in game.attributes
        ),
        greatest(f, order, "event_time").alias("last_time"),
        *(
            [greatest(f, order, AFTER_SET_BACK).alias(AFTER_SET_BACK)]
            if sets_clock_back(game)
            else []
        ),
        greatest(f, order, "event_time", is_activity(game.events, f)).alias(ACTIVITY_TIME),
    )
    return grouped.select("dt", *stored_activity_table(game).names)


@plan_once
def day_totals(activity: DataFrame, engine: Engine) -> DataFrame:
    """Sum up each arrival day of `user_activity`.

    Returns:
        Columns dt, rows, users, events, late_events; late are events dated before their arrival.
    """
    f = engine.functions
    late = f.when(f.col("event_date") < f.col("dt"), f.col("events")).otherwise(f.lit(0))
    return activity.groupBy("dt").agg(
        f.count("*").alias("rows"),
        f.countDistinct("user_id").alias("users"),
        f.sum("events").alias("events"),
        f.sum(late).alias("late_events"),
    )
