"""Features of each active user as known at the end of a day.

Belongs here: the population of a snapshot and every number that describes a user in it.
The rule of this file: a feature of day D sees only rows that arrived on or before D and happened
on or before D.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from ds_assets.core.activity import exact_sum, latest
from ds_assets.core.engine import DataFrame, Engine, frame_of_days
from ds_assets.core.game_tables import user_features_table, window_pairs, windowed_measures
from ds_assets.game import Game


def arrival_days(snapshot: dt.date, game: Game) -> tuple[dt.date, dt.date]:
    """First and last arrival day that features of a snapshot can need.

    One day more than the longest window: a clock that runs ahead lets an event arrive on the day
    before its own.
    """
    return snapshot - dt.timedelta(days=game.lookback_days), snapshot


def user_features(
    activity: DataFrame, snapshots: Sequence[dt.date], game: Game, engine: Engine
) -> DataFrame:
    """Describe each user who is active at each snapshot.

    Active is who has an activity event dated in the `active_days` days that end with the snapshot
    and that arrived by then.

    Args:
        activity: dt and the columns of `user_activity_table(game)`, at least for the arrival days
            of every snapshot; more does not matter.
        snapshots: Days at whose end to look.
        game: Windows, and who counts as active.
        engine: Engine that runs it.

    Returns:
        snapshot and the columns of `user_features_table(game)`.
    """
    return features_at(activity, frame_of_days(snapshots, "snapshot", engine), game, engine)


def features_at(activity: DataFrame, snapshots: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """The same of snapshots that come as a frame: its column snapshot holds their days."""
    f = engine.functions
    days = _dated(_known_days(activity, snapshots, game, engine), game, engine)
    users = days.groupBy("snapshot", "user_id").agg(
        *_window_sums(f, game), *_whole_lookback(f, game)
    )
    active = users.where(f.col("days_since_active") < game.active_days)
    ratios = _ratios(f, game)
    return active.select(
        "snapshot", *(ratios.get(name, f.col(name)) for name in user_features_table(game).names)
    )


def _known_days(activity: DataFrame, snapshots: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """One row a snapshot, user and event date, of what had arrived and happened by then."""
    f = engine.functions
    known = activity.join(
        snapshots,
        (f.col("dt") <= f.col("snapshot"))
        & (f.col("event_date") <= f.col("snapshot"))
        & (f.datediff(f.col("snapshot"), f.col("event_date")) < game.lookback_days),
    )
    measures = [name for name, _ in windowed_measures(game) if name != "active_days"]
    sums = {name: _sum(f, name, f.col(name)) for name in measures}
    return known.groupBy("snapshot", "user_id", "event_date").agg(
        f.sum("activities").alias("activities"),
        *(one.cast("double").alias(name) for name, one in sums.items()),
        *(latest(f, "last_time", f"last_{name}").alias(f"last_{name}") for name in game.attributes),
    )


def _dated(days: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """Those rows with their age, and the days since the active day before."""
    f = engine.functions
    active_date = f.when(f.col("activities") > 0, f.col("event_date"))
    order = engine.window.partitionBy("snapshot", "user_id").orderBy("event_date")
    before = order.rowsBetween(engine.window.unboundedPreceding, -1)
    gap = f.datediff(f.col("event_date"), f.max(active_date).over(before))
    measures = [name for name, _ in windowed_measures(game) if name != "active_days"]
    # One step for all: each step of a frame costs planning time, whatever it does.
    return days.select(
        *("snapshot", "user_id", "event_date", *measures),
        *(f"last_{name}" for name in game.attributes),
        f.datediff(f.col("snapshot"), f.col("event_date")).alias("age"),
        active_date.alias("active_date"),
        f.when(f.col("activities") > 0, f.lit(1.0)).otherwise(f.lit(0.0)).alias("active_days"),
        f.when(f.col("activities") > 0, gap).alias("gap"),
    )


def _window_sums(f: Any, game: Game) -> list[Any]:
    return [
        _sum(f, measure, f.when(f.col("age") < days, f.col(measure)).otherwise(f.lit(0.0))).alias(
            f"{measure}_{days}d"
        )
        for measure, _ in windowed_measures(game)
        for days in game.windows
    ]


def _sum(f: Any, measure: str, values: Any) -> Any:
    """Sum of a measure; counts are whole, and add exactly as they are."""
    is_real = measure == "spend" or measure.startswith("sum_")
    return exact_sum(f, values) if is_real else f.sum(values)


def _whole_lookback(f: Any, game: Game) -> list[Any]:
    """Aggregates over everything that a snapshot can see."""
    active_age = f.when(f.col("active_date").isNotNull(), f.col("age"))
    purchase_age = f.when(f.col("purchases") > 0, f.col("age"))
    return [
        f.min(active_age).cast("double").alias("days_since_active"),
        f.min(purchase_age).cast("double").alias("days_since_purchase"),
        f.max(active_age).cast("double").alias("tenure_days"),
        f.max("gap").cast("double").alias("longest_gap"),
        f.sum("active_days").alias("active_dates"),
        *(
            latest(f, "event_date", f"last_{name}").alias(f"last_{name}")
            for name in game.attributes
        ),
    ]


def _ratios(f: Any, game: Game) -> dict[str, Any]:
    """Columns of the table that are made of other columns."""
    span = f.col("tenure_days") - f.col("days_since_active")
    gaps = f.col("active_dates") - 1
    typical_gap = f.when(gaps > 0, span / gaps)
    ratios = {
        "typical_gap": typical_gap,
        "recency_in_gaps": f.col("days_since_active") / typical_gap,
    }
    for short, long in window_pairs(game):
        recent = f.col(f"active_days_{short}d") / f.lit(float(short))
        usual = f.col(f"active_days_{long}d") / f.lit(float(long))
        ratios[f"trend_{short}d_{long}d"] = f.when(usual > 0, recent / usual)
    return {name: ratio.alias(name) for name, ratio in ratios.items()}
