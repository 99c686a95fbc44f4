"""What users did after a snapshot, once the time to do it is over.

Scope: the label window and its maturity. The rule of this module: a label never exists before
its horizon, and the grace for late logs, have passed.
"""

import datetime as dt
from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from ds_assets.core.aggregates import exact_sum
from ds_assets.core.engine import DataFrame, Engine, plan_once
from ds_assets.core.game_tables import REFUNDS, has_refunds
from ds_assets.core.open_days import add_open_days, most_days, subtract_open_days
from ds_assets.game import Game

MIN_SNAPSHOTS = 12
"""Snapshots that a model is trained on however many users there are: a quarter of a year, if they
are a week apart."""


def matures_on(snapshot: dt.date, horizon: int, game: Game) -> dt.date:
    """Day at whose end the label of a snapshot is known.

    Horizon and grace are open days: on a closed day no user can come back, and no log comes late.
    """
    return add_open_days(snapshot, game.maturity_days(horizon), game.closed_days)


def weeks_apart(horizon: int, count: int, game: Game) -> int:
    """Weeks from one snapshot to the next: one, or as many as a long label window asks for.

    The earliest of `count` snapshots has to be matured on the day of the latest, else no model
    could be trained on the one and validated on the other.
    """
    wait = most_days(game.maturity_days(horizon), game.closed_days)
    return max(1, -(-wait // (7 * max(1, count - 1))))


def matured_snapshots(as_of: dt.date, horizon: int, count: int, game: Game) -> list[dt.date]:
    """The latest matured snapshot on a day, and those before it, `weeks_apart`.

    Args:
        as_of: Training day.
        horizon: Length of the label window, in open days.
        count: Most snapshots to name.
        game: Its grace for late logs, its closed days, and its first day.

    Returns:
        Days, ascending, of which none lies before the game's first day.
    """
    latest = subtract_open_days(as_of, game.maturity_days(horizon), game.closed_days)
    step = dt.timedelta(weeks=weeks_apart(horizon, min(count, MIN_SNAPSHOTS), game))
    days = (latest - number * step for number in range(count))
    return sorted(day for day in days if day >= game.first_day)


def label_days(snapshot: dt.date, horizon: int, game: Game) -> list[dt.date]:
    """Arrival days without which a label would be a guess: those of its window and of the grace.

    On a closed day nothing arrives, and it need not be stored.
    """
    last = matures_on(snapshot, horizon, game)
    days = (snapshot + dt.timedelta(days=n + 1) for n in range((last - snapshot).days))
    return [day for day in days if day not in game.closed_days]


def is_matured(
    snapshot: dt.date, horizon: int, stored_days: Container[dt.date], game: Game
) -> bool:
    """Whether every arrival day is stored that the labels of a snapshot are made of."""
    return all(day in stored_days for day in label_days(snapshot, horizon, game))


def frame_of_windows(
    snapshots: Mapping[dt.date, Collection[dt.date]], horizon: int, game: Game, engine: Engine
) -> AbstractContextManager[DataFrame]:
    """Open a frame of the label windows of snapshots: the `horizon` open days after each.

    A window becomes longer by the closed days in it.

    Args:
        snapshots: Matured snapshots of each training day, at whose end the labels are read.
        horizon: Length of the label window, in open days.
        game: Its grace for late logs, and its closed days.
        engine: Engine that opens it.

    Returns:
        Columns as_of, snapshot, until: the training day, the snapshot and the window's last day.

    Raises:
        ValueError: a snapshot has not matured on its training day.
    """
    for as_of, days in snapshots.items():
        _refuse_unmatured(sorted(days), horizon, as_of, game)
    windows = sorted(
        {
            (as_of, day, add_open_days(day, horizon, game.closed_days))
            for as_of, days in snapshots.items()
            for day in days
        }
    )
    return engine.values(windows, "as_of date, snapshot date, until date")


@plan_once
def outcomes(
    activity: DataFrame,
    windows: DataFrame,
    game: Game,
    counts: tuple[str, ...],
    engine: Engine,
) -> DataFrame:
    """What happened in label windows, as far as it had arrived on the training day.

    Events that are dated on a closed day, as where the game was closed for some hours, count as
    well: they did happen.

    A user of the snapshot's population without a row here did nothing in the window. That is
    an outcome only because the window is over, as `frame_of_windows` ensures.

    Args:
        activity: dt and the columns of `user_activity_table(game)` for the arrival days up to the
            last training day at least.
        windows: See `frame_of_windows`.
        game: States whether there are refunds.
        counts: Columns of counted events that are added up.
        engine: Engine that runs it.

    Returns:
        Columns as_of, snapshot, user_id, active_days, purchases (0 where refunds took back all that
        was spent), spend and, with `counts`, their sum as events; the same whatever the order of
        the rows.
    """
    f = engine.functions
    date = f.col("event_date")
    is_within = (date > f.col("snapshot")) & (date <= f.col("until"))

    def counted(events: Any) -> list[Any]:
        return [f.sum(events).alias("events")] if counts else []

    after = activity.join(windows, (f.col("dt") <= f.col("as_of")) & is_within)
    refunds = f.sum(f.coalesce(f.col(REFUNDS), f.lit(0))) if has_refunds(game) else f.lit(0)
    dates = after.groupBy("as_of", "snapshot", "user_id", "event_date").agg(
        f.sum("activities").alias("activities"),
        f.sum("purchases").alias("purchases"),
        exact_sum(f, f.col("spend")).alias("spend"),
        refunds.alias("refunds"),
        *counted(sum((f.col(name) for name in counts), f.lit(0))),
    )
    was_there = f.when(f.col("activities") > 0, f.lit(1)).otherwise(f.lit(0))
    spend = exact_sum(f, f.col("spend"))
    is_taken_back = (f.sum("refunds") > 0) & (spend <= 0)
    return dates.groupBy("as_of", "snapshot", "user_id").agg(
        f.sum(was_there).alias("active_days"),
        f.when(is_taken_back, f.lit(0)).otherwise(f.sum("purchases")).alias("purchases"),
        spend.alias("spend"),
        *counted(f.col("events")),
    )


def _refuse_unmatured(
    snapshots: Sequence[dt.date], horizon: int, as_of: dt.date, game: Game
) -> None:
    early = [day for day in snapshots if matures_on(day, horizon, game) > as_of]
    if early:
        raise ValueError(
            f"labels of {', '.join(map(str, early))} have not matured on {as_of}: "
            f"their horizon is {horizon} days and the grace {game.grace_days}"
        )
