"""Who gets which promotion: the users of the day that qualify, with a control that does not."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
import pandas as pd

from ds_assets.core.contracts import conform
from ds_assets.core.promotions.assignment import (
    ARMS,
    PromotionCounts,
    assign,
)
from ds_assets.core.promotions.candidates import candidates_from_outside, candidates_of
from ds_assets.core.promotions.states import PromotionState
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.tables import PROMOTIONS, USER_EFFECTS
from ds_assets.daily_assets import (
    PROMOTIONS_POOL,
    daily_asset,
    days_of,
    days_with,
    recording,
    report_days,
    table_schema,
    warn,
)
from ds_assets.game import Game
from ds_assets.infra.assignment_files import AssignmentFiles
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.promotion_states import read_states
from ds_assets.infra.lake.promotions import AssignmentHistory
from ds_assets.infra.lake.tables import count_rows, read_columns, store_rows, stored_days
from ds_assets.infra.qualified_users import read_qualified

TABLE = PROMOTIONS.name
_OF_EFFECTS = ("user_id", "promotion", "treats")

_SHOWN = dg.TableSchema(
    columns=[
        dg.TableColumn("promotion", "string", description="Name in game.yaml."),
        dg.TableColumn("state", "string", description="Whether it assigns users, and why not."),
        dg.TableColumn("qualified", "int", description="Users that meet its condition."),
        *(dg.TableColumn(arm, "int", description=f"Users of the arm {arm}.") for arm in ARMS),
        dg.TableColumn("cooling_down", "int", description="Left out: had it not long ago."),
        dg.TableColumn("in_group", "int", description="Left out: have another of its group."),
        dg.TableColumn("left_out", "int", description="Left out: not worth the cost."),
        dg.TableColumn("waiting", "int", description="Left out: beyond per_day."),
    ]
)


@dataclass(frozen=True)
class DayPromotions:
    """What is stored of a day.

    Attributes:
        rows: Number of assignments.
        remark: Why nothing was assigned on the day, or that it stays as it is; else empty.
        states: Whether each promotion assigned users.
        counts: Users of each promotion that did.
    """

    rows: int
    remark: str = ""
    states: Mapping[str, PromotionState] = field(default_factory=dict)
    counts: Mapping[str, PromotionCounts] = field(default_factory=dict)


def update(
    days: Sequence[dt.date], lake: Lake, engine: LakeEngine, files: AssignmentFiles, game: Game
) -> dict[dt.date, DayPromotions]:
    """Assign the promotions of days that have no assignments yet.

    What was assigned is a fact: it stays whatever is run again. Of a day before the newest one with
    assignments nobody can act any longer, so that it gets none.
    """
    arms, mistakes = files.read_all(game)
    states, history = read_states(days, lake, game, mistakes), AssignmentHistory(lake, game)
    assigned: dict[dt.date, DayPromotions] = {}
    for day in sorted(days):
        fixed = _find_fixed(day, lake)
        if fixed is None:
            users = read_qualified(day, lake, engine, game)
            fixed = _assign(day, users, states[day], arms, history)
        assigned[day] = fixed
    return assigned


def _find_fixed(day: dt.date, lake: Lake) -> DayPromotions | None:
    """What is stored of a day for good; None for a day that may be assigned now."""
    stored = stored_days(TABLE, lake)
    if day in stored and (rows := _count_whole(day, lake)) is not None:
        return DayPromotions(rows, "assigned before: what was assigned stays as it is")
    if newest := max((it for it in stored if it > day), default=None):
        _store(pd.DataFrame(columns=PROMOTIONS.names), day, lake)
        return DayPromotions(0, f"there are assignments of {newest}: it is too late for this day")
    return None


def _count_whole(day: dt.date, lake: Lake) -> int | None:
    """Number of assignments of a stored day; none if its file is damaged, which is then lost."""
    try:
        return count_rows(TABLE, day, lake)
    except DamagedDayError as error:
        warn(str(error))
        return None


def _assign(
    day: dt.date,
    users: pd.DataFrame,
    states: Mapping[str, PromotionState],
    arms: Mapping[str, Mapping[str, str]],
    history: AssignmentHistory,
) -> DayPromotions:
    game = history.game
    running = [name for name, state in states.items() if state.status == "runs"]
    effects = read_columns(USER_EFFECTS.name, day, _OF_EFFECTS, history.lake)
    candidates = {
        name: candidates_from_outside(name, users, arms[name], game)
        if name in arms
        else candidates_of(name, users, effects, game)
        for name in running
    }
    assigned = assign(day, candidates, history.before(day), game)
    _store(assigned.rows, day, history.lake)
    return DayPromotions(len(assigned.rows), "", states, assigned.counts)


def _store(rows: pd.DataFrame, day: dt.date, lake: Lake) -> None:
    store_rows(conform(PROMOTIONS, rows), TABLE, day, lake)


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `promotions`."""

    @daily_asset(
        game,
        TABLE,
        "predictions",
        {"engine", "parquet"},
        __doc__,
        pool=PROMOTIONS_POOL,
        metadata=table_schema(PROMOTIONS),
    )
    def promotions(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
        assignment_files: dg.ResourceParam[AssignmentFiles],
    ) -> None:
        days = days_with(days_of(context), USER_EFFECTS.name, lake, context, game)
        with recording(context, days, lake, game):
            assigned = update(days, lake, engine, assignment_files, game)
        report_days(context, {day: _metadata(it) for day, it in assigned.items()})

    return promotions


def _metadata(assigned: DayPromotions) -> dict[str, object]:
    metadata: dict[str, object] = {"dagster/partition_row_count": assigned.rows}
    if assigned.remark:
        metadata["remark"] = assigned.remark
    records = [
        dg.TableRecord(_describe(name, state, assigned.counts.get(name, PromotionCounts())))
        for name, state in assigned.states.items()
    ]
    return metadata | ({"promotions": dg.MetadataValue.table(records, _SHOWN)} if records else {})


def _describe(
    name: str, state: PromotionState, counts: PromotionCounts
) -> dict[str, str | int | float | bool | None]:
    return {
        "promotion": name,
        "state": str(state),
        "qualified": counts.qualified,
        **{arm: counts.arms.get(arm, 0) for arm in ARMS},
        "cooling_down": counts.cooling_down,
        "in_group": counts.in_group,
        "left_out": counts.left_out,
        "waiting": counts.waiting,
    }
