"""What users of the same first week have done by age: activity, purchases and spend of cohorts.

A cohort is the users whose first active day is in the same week, with one value of an attribute of
`game.yaml`, such as the channel that they came from. A user's age is the number of days since the
user's own first active day.

Each day stores only what it adds, so that its cost does not grow with the history: sums over all
days up to one are the cohorts as known at its end. A late event counts at the age of its date. If
it moves a user's first active day, or the user's value changes, the day takes the whole history
back from the former cohort and adds it to the new one, as long as that history lies within
`HISTORY_DAYS`. What an older user does counts for the latest value.

Scope: what each day adds. `cohort_curves` adds it up.
"""

import datetime as dt
from typing import Any

from ds_assets.core.aggregates import exact_sum, latest
from ds_assets.core.attribute_texts import shortened
from ds_assets.core.engine import DataFrame, Engine, plan_once
from ds_assets.core.group_defaults import MAX_USER_GROUPS
from ds_assets.core.local_clock import AFTER_SET_BACK, order_of_last_times, sets_clock_back
from ds_assets.game import ALL_USERS, MIN_LOOKBACK_DAYS, Game

HISTORY_DAYS = MIN_LOOKBACK_DAYS
"""Days of event dates that a day can add to; earlier ones are known from a roll-up only."""
MAX_AGE_DAYS = 365
"""Largest age that is counted, so that the rows of a day do not grow with the history."""
OTHER, UNKNOWN = "other", "unknown"
"""Values of users beyond the `MAX_USER_GROUPS` largest values, and of users without one."""

_AMOUNTS = ("activities", "purchases", "spend")
_COUNTS = ("users", "active_users", "payers", "purchases")
_KEY = ("snapshot", "cohort", "value", "age_days")


def first_arrival_day(day: dt.date) -> dt.date:
    """First arrival day that the increments of a day need.

    An event may arrive on the day before its date, from a clock that runs ahead.
    """
    return day - dt.timedelta(days=HISTORY_DAYS)


@plan_once
def cohort_increments(
    activity: DataFrame, lifetimes: DataFrame, snapshots: DataFrame, game: Game, engine: Engine
) -> DataFrame:
    """Compute what each snapshot adds to the cohorts as they were known a day before.

    Args:
        activity: dt and the columns of `user_activity_table(game)`, at least from
            `first_arrival_day` of every snapshot on; further days make no difference.
        lifetimes: dt and the columns of `user_lifetimes_table(game)` of the snapshots' roll-ups.
        snapshots: See `features.frame_of_snapshots`.
        game: Declares the attribute and the costs.
        engine: Engine that runs it.

    Returns:
        snapshot and the columns of `COHORTS`.
    """
    f = engine.functions
    known_rows = _find_known_rows(activity, snapshots, game, engine)
    dates = _sum_dates(known_rows, game, engine)
    users = _describe_users(dates, lifetimes, game, engine)
    changes = _list_changes(dates, users, game, engine)
    names = _name_values(known_rows, users, game, engine)
    has_name = (f.col("snapshot") == f.col("named_snapshot")) & (
        f.col("raw_value") == f.col("named_value")
    )
    # A step of names alone: SQLFrame cannot tell apart columns of joined frames in expressions.
    named = changes.join(names, has_name, "left").select(*changes.columns, "named_value")
    sums = (
        named.withColumn("value", f.coalesce(f.col("named_value"), f.lit(OTHER)))
        .groupBy(*_KEY)
        .agg(
            *(f.sum(name).alias(name) for name in _COUNTS),
            exact_sum(f, f.col("spend")).alias("spend"),
        )
    )
    return _select_rows(sums, game, engine)


@plan_once
def count_left_out(
    activity: DataFrame, lifetimes: DataFrame, snapshots: DataFrame, game: Game, engine: Engine
) -> DataFrame:
    """Count what arrived for each snapshot and is in no cohort.

    Returns:
        Columns snapshot; users_without_activity: users with events of other types only; and
        too_late_events: events dated `HISTORY_DAYS` before the snapshot or earlier.
    """
    f = engine.functions
    known_rows = _find_known_rows(activity, snapshots, game, engine)
    users = _describe_users(_sum_dates(known_rows, game, engine), lifetimes, game, engine)
    without = f.sum(f.when(f.col("first_active").isNull(), f.lit(1)).otherwise(f.lit(0)))
    inactive = users.groupBy("snapshot").agg(without.alias("inactive"))
    is_late = f.datediff(f.col("snapshot"), f.col("event_date")) >= HISTORY_DAYS
    late = activity.join(snapshots, (f.col("dt") == f.col("snapshot")) & is_late)
    events = late.groupBy("snapshot").agg(f.sum("events").alias("too_late"))
    of_late = events.select(f.col("snapshot").alias("late_snapshot"), "too_late")
    is_same = f.col("snapshot") == f.col("late_snapshot")
    both = inactive.join(of_late, is_same, "full").select(*inactive.columns, *of_late.columns)
    return both.select(
        f.coalesce(f.col("snapshot"), f.col("late_snapshot")).alias("snapshot"),
        f.coalesce(f.col("inactive"), f.lit(0)).alias("users_without_activity"),
        f.coalesce(f.col("too_late"), f.lit(0)).alias("too_late_events"),
    )


@plan_once
def _find_known_rows(
    activity: DataFrame, snapshots: DataFrame, game: Game, engine: Engine
) -> DataFrame:
    """Rows of activity that each snapshot knows, of the event dates that it can add to.

    Returns:
        snapshot, roll_up, user_id, event_date, last_time, activities, purchases, spend; value; and
        news, 1 for a row that became known with the snapshot, else 0.
    """
    f = engine.functions
    age = f.datediff(f.col("snapshot"), f.col("event_date"))
    is_known = (f.col("dt") <= f.col("snapshot")) & (age >= 0) & (age < HISTORY_DAYS)
    by = game.cohorts.by
    order = ("last_time", *([AFTER_SET_BACK] if sets_clock_back(game) else []))
    columns = ("snapshot", "roll_up", "user_id", "event_date", *order, *_AMOUNTS)
    # A step of names alone: SQLFrame cannot tell apart columns of joined frames in expressions.
    known_rows = activity.join(snapshots, is_known).select(
        *columns, "dt", *([] if by is None else [f"last_{by}"])
    )
    value = f.lit(ALL_USERS) if by is None else shortened(f, f.col(f"last_{by}"))
    is_new = (f.col("dt") == f.col("snapshot")) | (f.col("event_date") == f.col("snapshot"))
    flagged = known_rows.select(*columns, value.alias("value"), _flag(f, is_new).alias("news"))
    return engine.step(flagged)


@plan_once
def _sum_dates(known_rows: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """One row for each snapshot, user of which something became known, and event date.

    Args:
        known_rows: See `_find_known_rows`.
        game: Has the clock.
        engine: Engine that runs it.

    Returns:
        snapshot, roll_up, user_id, event_date; activities, purchases, spend and the latest value,
        and each of them with `_before` as it was known a day before.
    """
    f = engine.functions
    order = order_of_last_times(f, game)
    with_news = known_rows.where(f.col("news") == 1).select(
        f.col("snapshot").alias("news_snapshot"), f.col("user_id").alias("news_user")
    )
    is_same = (f.col("snapshot") == f.col("news_snapshot")) & (
        f.col("user_id") == f.col("news_user")
    )
    rows = known_rows.join(with_news.distinct(), is_same).select(*known_rows.columns)
    is_known_before = f.col("news") == 0

    def before(name: str, otherwise: Any) -> Any:
        return f.when(is_known_before, f.col(name)).otherwise(otherwise).alias(f"{name}_before")

    counts = ("activities", "purchases", "activities_before", "purchases_before")
    dates = (
        rows.select(
            *known_rows.columns,
            *(before(name, f.lit(0)) for name in _AMOUNTS),
            before("value", f.lit(None)),
        )
        .groupBy("snapshot", "roll_up", "user_id", "event_date")
        .agg(
            *(f.sum(name).alias(name) for name in counts),
            *(exact_sum(f, f.col(name)).alias(name) for name in ("spend", "spend_before")),
            *(latest(f, order, name).alias(name) for name in ("value", "value_before")),
        )
    )
    return engine.step(dates)


@plan_once
def _describe_users(
    dates: DataFrame, lifetimes: DataFrame, game: Game, engine: Engine
) -> DataFrame:
    """One row for each snapshot and user: first days and value, now and a day before.

    Returns:
        snapshot, user_id; first_active, first_purchase and value, and each of them with
        `_before`. Of users whose first active day is known from a roll-up only, the value before is
        the present one, as their whole history cannot change its cohort.
    """
    f, by = engine.functions, game.cohorts.by

    def first(count: str) -> Any:
        return f.min(f.when(f.col(count) > 0, f.col("event_date")))

    users = dates.groupBy("snapshot", "roll_up", "user_id").agg(
        *(
            first(f"{count}{end}").alias(f"{name}{end}")
            for count, name in (("activities", "first_active"), ("purchases", "first_purchase"))
            for end in ("", "_before")
        ),
        *(latest(f, [f.col("event_date")], name).alias(name) for name in ("value", "value_before")),
    )
    earlier = lifetimes.select(
        f.col("dt").alias("earlier_dt"),
        f.col("user_id").alias("earlier_user"),
        f.col("first_active_date").alias("earlier_active"),
        f.col("first_purchase_date").alias("earlier_purchase"),
        (f.lit(ALL_USERS) if by is None else f.col(f"last_{by}")).alias("earlier_value"),
    )
    is_same = (f.col("roll_up") == f.col("earlier_dt")) & (
        f.col("user_id") == f.col("earlier_user")
    )
    # A step of names alone: SQLFrame cannot tell apart columns of joined frames in expressions.
    both = users.join(earlier, is_same, "left").select(*users.columns, *earlier.columns)

    def out_of_reach(date: str) -> Any:
        age = f.datediff(f.col("snapshot"), f.col(date))
        return f.when(age >= HISTORY_DAYS, f.col(date))

    is_older = out_of_reach("earlier_active").isNotNull()
    # The channel may have come with the first event only.
    earlier_value = f.when(is_older, shortened(f, f.col("earlier_value")))
    value = f.coalesce(f.col("value"), earlier_value, f.lit(UNKNOWN))
    value_before = f.coalesce(f.col("value_before"), f.lit(UNKNOWN))
    users = both.select(
        *("snapshot", "user_id"),
        *(
            f.coalesce(out_of_reach(f"earlier_{kind}"), f.col(f"first_{kind}{end}")).alias(
                f"first_{kind}{end}"
            )
            for kind in ("active", "purchase")
            for end in ("", "_before")
        ),
        value.alias("value"),
        f.when(is_older, value).otherwise(value_before).alias("value_before"),
    )
    return engine.step(users)


def _name_values(known_rows: DataFrame, users: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """The values that have rows of their own: those with a cost, and the largest of the others.

    Their size is the number of rows in all dates that a snapshot can add to, and of its users. It
    changes slowly: a value that becomes large enough, or no longer is, has a part of its rows as
    `OTHER`.

    Returns:
        Columns named_snapshot and named_value.
    """
    f = engine.functions
    values = known_rows.select(
        "snapshot", f.coalesce(f.col("value"), f.lit(UNKNOWN)).alias("value")
    )
    of_users = users.select("snapshot", "value")
    sizes = values.union(of_users).groupBy("snapshot", "value").agg(f.count("*").alias("size"))
    is_kept = f.col("value").isin([UNKNOWN, ALL_USERS, *game.cohorts.cost_per_user])
    flagged = sizes.select("snapshot", "value", "size", _flag(f, is_kept).alias("is_kept"))
    by_size = engine.window.partitionBy("snapshot", "is_kept").orderBy(
        f.col("size").desc(), f.col("value").asc()
    )
    ranked = flagged.select(
        "snapshot", "value", "is_kept", f.row_number().over(by_size).alias("position")
    )
    is_named = (f.col("is_kept") == 1) | (f.col("position") <= MAX_USER_GROUPS)
    named = ranked.where(is_named).select(
        f.col("snapshot").alias("named_snapshot"), f.col("value").alias("named_value")
    )
    return engine.step(named)


def _list_changes(dates: DataFrame, users: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """What is added for each user and event date, and what is taken back of users who moved.

    Returns:
        Columns snapshot, cohort, raw_value, age_days, those of `_COUNTS`, and spend.
    """
    f = engine.functions
    is_joining = f.col("first_active_before").isNull()
    is_moving = ~is_joining & (
        (f.col("first_active") != f.col("first_active_before"))
        | (f.col("value") != f.col("value_before"))
    )
    changing = users.where(f.col("first_active").isNotNull()).select(
        f.col("snapshot").alias("user_snapshot"),
        f.col("user_id").alias("user"),
        *("first_active", "first_active_before", "first_purchase", "first_purchase_before"),
        f.col("value").alias("user_value"),
        f.col("value_before").alias("user_value_before"),
        _flag(f, is_moving).alias("is_moving"),
        _flag(f, is_moving | is_joining).alias("is_whole"),
    )
    is_same = (f.col("snapshot") == f.col("user_snapshot")) & (f.col("user_id") == f.col("user"))
    # A step of names alone: SQLFrame cannot tell apart columns of joined frames in expressions.
    both = dates.join(changing, is_same).select(*dates.columns, *changing.columns)

    def on(date: str) -> Any:
        return _flag(f, f.col("event_date") == f.col(date))

    def amounts(end: str) -> dict[str, Any]:
        return {
            "users": on(f"first_active{end}"),
            "active_users": _flag(f, f.col(f"activities{end}") > 0),
            "payers": on(f"first_purchase{end}"),
            "purchases": f.col(f"purchases{end}"),
            "spend": f.col(f"spend{end}"),
        }

    def select(rows: DataFrame, end: str, values: dict[str, Any]) -> DataFrame:
        first = f.col(f"first_active{end}")
        age = f.greatest(f.datediff(f.col("event_date"), first), f.lit(0))
        return rows.select(
            "snapshot",
            _cohort(f, first, game).alias("cohort"),
            f.col(f"user_value{end}").alias("raw_value"),
            age.alias("age_days"),
            *(value.alias(name) for name, value in values.items()),
        )

    now, before = amounts(""), amounts("_before")
    added = {
        name: now[name] - f.when(f.col("is_whole") == 1, f.lit(0)).otherwise(before[name])
        for name in now
    }
    taken_back = {name: -value for name, value in before.items()}
    moving = both.where(f.col("is_moving") == 1)
    return engine.step(select(both, "", added).union(select(moving, "_before", taken_back)))


def _flag(f: Any, condition: Any) -> Any:
    """1 where a condition holds, else 0, also where it is unknown."""
    return f.when(condition, f.lit(1)).otherwise(f.lit(0))


def _cohort(f: Any, first_active: Any, game: Game) -> Any:
    """First day of the week of the first active day, or of the game in its first week."""
    monday = f.date_trunc("week", first_active).cast("date")
    return f.greatest(monday, f.lit(str(game.first_day)).cast("date"))


def _select_rows(sums: DataFrame, game: Game, engine: Engine) -> DataFrame:
    """Rows of `COHORTS` in which something is added or taken back."""
    f = engine.functions
    differs = f.col("spend") != f.lit(0.0)
    for name in _COUNTS:
        differs = differs | (f.col(name) != f.lit(0))
    cost = f.lit(None).cast("double")
    for value, amount in game.cohorts.cost_per_user.items():
        cost = f.when(f.col("value") == f.lit(value), f.lit(amount)).otherwise(cost)
    return sums.where(differs & (f.col("age_days") <= MAX_AGE_DAYS)).select(
        "snapshot",
        f.col("snapshot").alias("as_of"),
        *("cohort", "value", "age_days", *_COUNTS, "spend"),
        cost.alias("cost_per_user"),
    )
