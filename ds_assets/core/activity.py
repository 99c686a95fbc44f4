"""What each user did: valid events, reduced to one row a user and event date.

Belongs here: `user_activity`, the only reduction of events; everything later reads its result.
"""

from functools import reduce
from typing import Any

from ds_assets.core.aggregates import exact_sum, latest
from ds_assets.core.engine import DataFrame, Engine
from ds_assets.core.game_tables import user_activity_table
from ds_assets.game import Game


def daily_activity(events: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """Reduce events to a row an arrival day, user and event date.

    Args:
        events: The events frame; rows with a reason are left out here.
        game: What event types mean.
        engine: Engine that runs it.

    Returns:
        dt and the columns of `user_activity_table(game)`. An event that arrives on a later day
        than its own stays a row of its own event date.
    """
    f = engine.functions
    is_purchase = _any_of(f, game.events.purchases)
    measures = [
        f.count("*").alias("events"),
        _count(
            f, f.lit(True) if game.events.activity is None else _any_of(f, game.events.activity)
        ).alias("activities"),
        _count(f, _any_of(f, game.events.sessions)).alias("sessions"),
        _count(f, is_purchase).alias("purchases"),
        _total(f, f.when(is_purchase, f.col("amount"))).alias("spend"),
        *(_count(f, _any_of(f, (name,))).alias(f"count_{name}") for name in game.events.counted),
        *(_total(f, f.col(f"property_{name}")).alias(f"sum_{name}") for name in game.properties),
        *(
            latest(f, "event_time", f"attribute_{name}").alias(f"last_{name}")
            for name in game.attributes
        ),
        f.max("event_time").alias("last_time"),
    ]
    valid = events.where(f.col("reason").isNull())
    grouped = valid.groupBy("dt", "user_id", "event_date").agg(*measures)
    return grouped.select("dt", *user_activity_table(game).names)


def day_totals(activity: DataFrame, engine: Engine) -> DataFrame:
    """Totals of each arrival day of `user_activity`.

    Returns:
        Columns dt, rows, users, events, late_events; late is what is dated before its arrival day.
    """
    f = engine.functions
    late = f.when(f.col("event_date") < f.col("dt"), f.col("events")).otherwise(f.lit(0))
    return activity.groupBy("dt").agg(
        f.count("*").alias("rows"),
        f.countDistinct("user_id").alias("users"),
        f.sum("events").alias("events"),
        f.sum(late).alias("late_events"),
    )


def _any_of(f: Any, types: tuple[str, ...]) -> Any:
    conditions = [f.col("event_type") == f.lit(name) for name in types]
    return reduce(lambda left, right: left | right, conditions, f.lit(False))


def _count(f: Any, condition: Any) -> Any:
    return f.count(f.when(condition, f.lit(1)))


def _total(f: Any, amount: Any) -> Any:
    return f.coalesce(exact_sum(f, amount), f.lit(0.0))
