"""The whole history of each user, rolled up every four weeks; features continue it."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import dagster as dg

from ds_assets.core import lifetimes
from ds_assets.core.game_tables import user_activity_table
from ds_assets.core.lineage import lineage_of
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.daily_assets import (
    LIFETIMES_POOL,
    daily_asset,
    days_of,
    recording,
    report_days,
    table_schema,
    warn,
)
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import between, open_day

TABLE = "user_lifetimes"


class RollUp(NamedTuple):
    """A roll-up that a run made.

    Attributes:
        users: Number of its users.
        too_late_events: Events that arrived since the roll-up before, and are in no lifetime.
    """

    users: int
    too_late_events: int


def materialize_roll_up(day: dt.date, lake: Lake, engine: LakeEngine, game: Game) -> RollUp:
    """Compute and store the roll-up of a day."""
    records = Records(lineage_of(game), lake)
    before = day - dt.timedelta(days=lifetimes.PERIOD_DAYS)
    arrived = records.usable_files("user_activity")
    arrived_since = between(arrived, lifetimes.last_covered_date(before), day)
    earlier = [before] if before in records.usable_files(TABLE) else []
    table = lifetimes.user_lifetimes_table(game)
    with (
        engine.read(arrived_since, user_activity_table(game), lake) as activity,
        engine.read(earlier, table, lake) as stored,
        lifetimes.frame_of_period(day, engine) as period,
    ):
        frame = lifetimes.roll_up(stored, activity, period, game, engine)
        users = engine.store(frame, table, "roll_up", [day], lake)[day]
        too_late = engine.to_pandas(lifetimes.count_too_late(activity, period, engine))
    return RollUp(users, int(too_late["events"].sum()))


def update(
    days: Sequence[dt.date],
    lake: Lake,
    engine: LakeEngine,
    game: Game,
    record: Callable[[dt.date], AbstractContextManager[object]],
) -> dict[dt.date, RollUp]:
    """Make the roll-ups that days need and that are missing or outdated, from the first one on.

    Most runs make none. The newest one, which features of the days continue, is also made again if
    its file is damaged.

    Args:
        days: The days.
        lake: Holds the activity.
        engine: Runs it.
        game: The game.
        record: Records what a roll-up is made from, which is done in the context.
    """
    arrivals = Records(lineage_of(game), lake).usable_days("user_activity")
    roll_ups: dict[dt.date, RollUp] = {}
    if not arrivals:
        return roll_ups
    newest = lifetimes.newest_roll_up(max(days))
    for day in lifetimes.find_roll_ups(min(arrivals), max(days)):
        # Records are opened again for each roll-up, as it is made from the one before.
        records = Records(lineage_of(game), lake)
        if records.needs_run(TABLE, day) or (day == newest and _is_damaged(day, lake)):
            with record(day):
                roll_ups[day] = materialize_roll_up(day, lake, engine, game)
    return roll_ups


def _is_damaged(day: dt.date, lake: Lake) -> bool:
    try:
        open_day(TABLE, day, lake)
    except DamagedDayError as error:
        warn(str(error))
        return True
    return False


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `user_lifetimes`."""

    @daily_asset(
        game,
        TABLE,
        "features",
        {"engine", "parquet"},
        __doc__,
        pool=LIFETIMES_POOL,
        metadata=table_schema(lifetimes.user_lifetimes_table(game)),
    )
    def user_lifetimes(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
    ) -> None:
        def record(day: dt.date) -> AbstractContextManager[object]:
            return recording(context, [day], lake, game)

        days = days_of(context)
        roll_ups = update(days, lake, engine, game, record)
        report_days(context, {day: _metadata(day, roll_ups) for day in days})

    return user_lifetimes


def _metadata(day: dt.date, roll_ups: Mapping[dt.date, RollUp]) -> dict[str, object]:
    """Which roll-up the features of a day continue, and what is in it if the run made it."""
    newest = lifetimes.newest_roll_up(day)
    shown: dict[str, object] = {
        "roll_up": str(newest),
        "covers_until": str(lifetimes.last_covered_date(newest)),
        "roll_ups_made": len(roll_ups),
    }
    if newest in roll_ups:
        shown["dagster/partition_row_count"] = roll_ups[newest].users
        shown["too_late_events"] = roll_ups[newest].too_late_events
    return shown
