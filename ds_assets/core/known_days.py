"""A user's days as they are known at the end of a day: how long ago, and how long after the last.

Scope: what features and lifetimes are both made of. Which rows are known is decided by them.
"""

from collections.abc import Iterable
from typing import Any

from ds_assets.core.engine import DataFrame, Engine
from ds_assets.core.open_days import is_open, open_days_between
from ds_assets.game import Game


def describe_days(
    days: DataFrame, end: str, columns: Iterable[Any], game: Game, engine: Engine
) -> DataFrame:
    """Say of each day of each user how long ago it was, and how long after the user's last one.

    Args:
        days: One row for each end, user and event date: user_id, event_date, activities, purchases
            and what the further columns are made of.
        end: Column of the date at whose end the days are described.
        columns: Further columns.
        game: States which days were closed.
        engine: Engine that runs it.

    Returns:
        The end, user_id, event_date and the further columns; `age`, open days from the event date
        to the end; `active_date`, the event date of a day with activity, else null; `active_days`,
        1 on such a day, else 0; `active_gap`, on such a day, open days since the user's previous
        one, `active_before`; likewise `purchase_date`, `purchase_days`, `purchase_gap` and
        `purchase_before` of days with a purchase. A closed day has the age of the open day before
        it. It is not an active day, but a user with an event then has been seen.
    """
    f = engine.functions
    age = open_days_between(f, f.col("event_date"), f.col(end), game.closed_days)
    is_active = f.col("activities") > 0
    is_active_day = is_active & is_open(f, f.col("event_date"), game.closed_days)
    has_purchase = f.col("purchases") > 0
    order = engine.window.partitionBy(end, "user_id").orderBy("event_date")
    before = order.rowsBetween(engine.window.unboundedPreceding, -1)

    def rhythm(kind: str, is_kind: Any, is_counted: Any) -> list[Any]:
        date = f.when(is_kind, f.col("event_date"))
        gap = f.min(f.when(is_kind, age)).over(before) - age
        return [
            date.alias(f"{kind}_date"),
            f.when(is_counted, f.lit(1.0)).otherwise(f.lit(0.0)).alias(f"{kind}_days"),
            f.when(is_counted, gap).alias(f"{kind}_gap"),
            f.max(date).over(before).alias(f"{kind}_before"),
        ]

    # A single step: each further step of a frame costs planning time, whatever it does.
    return days.select(
        *(end, "user_id", "event_date"),
        *columns,
        age.alias("age"),
        *rhythm("active", is_active, is_active_day),
        *rhythm("purchase", has_purchase, has_purchase),
    )
