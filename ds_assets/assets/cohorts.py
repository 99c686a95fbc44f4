"""What each day adds to cohorts of new users: activity, purchases and spend by age, and payback."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
import pandas as pd

from ds_assets.core import cohorts as increments
from ds_assets.core.cohort_curves import CohortCurve, compute_curves, select_whole_cohorts
from ds_assets.core.cohort_pictures import spend_picture, values_picture
from ds_assets.core.features import frame_of_snapshots
from ds_assets.core.game_settings import ACTIVITY, LIFETIMES
from ds_assets.core.game_settings import COHORTS as TABLE
from ds_assets.core.game_tables import user_activity_table
from ds_assets.core.lifetimes import newest_roll_up, user_lifetimes_table
from ds_assets.core.lineage import lineage_of
from ds_assets.core.tables import COHORTS
from ds_assets.daily_assets import (
    daily_asset,
    days_of,
    days_with,
    find_missing_roll_ups,
    in_batches,
    leave_out,
    picture,
    recording,
    report_days,
    table_schema,
)
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import between, read_columns

BATCH_BYTES = 256 << 20
"""Bytes of stored activity that are joined at once, counted for each snapshot that uses them."""
PICTURED_WEEKS = 26
"""Weeks of cohorts that are shown, up to the newest day of a run."""

_SHOWN = dg.TableSchema(
    columns=[
        dg.TableColumn("value", "string", description="Value of the attribute in cohorts.by."),
        dg.TableColumn("users", "int", description="Users that joined in the shown weeks."),
        dg.TableColumn("days", "int", description="Largest age with enough users."),
        dg.TableColumn("spend_per_user", "float", description="Up to that age."),
        dg.TableColumn("payers", "float", description="Share with a purchase up to that age."),
        dg.TableColumn("cost_per_user", "float", description="None where game.yaml has no cost."),
        dg.TableColumn("payback_days", "int", description="Age at which spend covers the cost."),
    ]
)


@dataclass(frozen=True)
class DayCohorts:
    """What is reported of a day.

    Attributes:
        rows: Number of its rows.
        users_without_activity: Users with events of other types only, who are in no cohort.
        too_late_events: Events that are dated too long ago to be counted.
    """

    rows: int
    users_without_activity: int
    too_late_events: int


@dataclass(frozen=True)
class ShownCohorts:
    """Cohorts of the latest weeks.

    Attributes:
        curves: One for each value.
        missing_days: Days with activity that have no cohorts; the curves lack what they add.
    """

    curves: list[CohortCurve] = field(default_factory=list)
    missing_days: list[dt.date] = field(default_factory=list)


def update(
    days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, DayCohorts]:
    """Compute and store what days add to cohorts."""
    reports: dict[dt.date, DayCohorts] = {}
    records = Records(lineage_of(game), lake)
    stored, roll_up_days = map(records.usable_files, (ACTIVITY, LIFETIMES))

    def days_read(first: dt.date, last: dt.date) -> list[dt.date]:
        return between(stored, increments.first_arrival_day(first), last)

    def bytes_read(day: dt.date) -> int:
        return sum(stored[it].size for it in days_read(day, day))

    for batch in in_batches(sorted(days), bytes_read, BATCH_BYTES):
        roll_ups = {day: newest_roll_up(day) for day in batch}
        continued = sorted(roll_up_days.keys() & roll_ups.values())
        with (
            engine.read(
                days_read(batch[0], batch[-1]), user_activity_table(game), lake
            ) as activity,
            engine.read(continued, user_lifetimes_table(game), lake) as lifetimes,
            frame_of_snapshots(roll_ups, engine) as snapshots,
        ):
            added = increments.cohort_increments(activity, lifetimes, snapshots, game, engine)
            rows = engine.store(added, COHORTS, "snapshot", batch, lake)
            left_out = increments.count_left_out(activity, lifetimes, snapshots, game, engine)
            counts = engine.to_pandas(left_out)
        reports |= _describe_days(rows, counts)
    return reports


def _describe_days(rows: Mapping[dt.date, int], counts: pd.DataFrame) -> dict[dt.date, DayCohorts]:
    """Reports of days, of which those without anything left out have no counts."""
    left_out = {
        row["snapshot"].date(): (int(row["users_without_activity"]), int(row["too_late_events"]))
        for row in counts.to_dict("records")
    }
    return {day: DayCohorts(number, *left_out.get(day, (0, 0))) for day, number in rows.items()}


def read_cohorts(newest: dt.date, lake: Lake, game: Game) -> ShownCohorts:
    """Read the curves of the weeks up to a day."""
    records = Records(lineage_of(game), lake)
    oldest = newest - dt.timedelta(weeks=PICTURED_WEEKS)
    days = between(records.usable_files(TABLE), oldest, newest)
    if not days:
        return ShownCohorts()
    rows = pd.concat([read_columns(TABLE, day, COHORTS.names, lake) for day in days])
    active_days = between(records.usable_days(ACTIVITY), days[0], newest)
    return ShownCohorts(
        compute_curves(select_whole_cohorts(rows), newest),
        sorted(set(active_days) - set(days)),
    )


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `cohorts`."""

    @daily_asset(
        game,
        TABLE,
        "predictions",
        {"engine", "matplotlib"},
        __doc__,
        metadata=table_schema(COHORTS),
    )
    def cohorts(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
    ) -> None:
        days = days_with(days_of(context), ACTIVITY, lake, context, game)
        missing = find_missing_roll_ups(days, Records(lineage_of(game), lake))
        days = leave_out(days, missing, context)
        with recording(context, days, lake, game):
            reports = update(days, lake, engine, game)
        metadata = {day: _describe(report) for day, report in reports.items()}
        metadata[max(days)] |= _show(read_cohorts(max(days), lake, game))
        report_days(context, metadata)

    return cohorts


def _describe(report: DayCohorts) -> dict[str, object]:
    return {
        "dagster/partition_row_count": report.rows,
        "users_without_activity": report.users_without_activity,
        "too_late_events": report.too_late_events,
    }


def _show(cohorts: ShownCohorts) -> dict[str, object]:
    missing = dg.MetadataValue.json(list(map(str, cohorts.missing_days)))
    shown: dict[str, object] = {"missing_days": missing}
    if not cohorts.curves:
        return shown
    for name, png in (
        ("spend_by_age", spend_picture(cohorts.curves)),
        ("values", values_picture(cohorts.curves)),
    ):
        shown[name] = picture(name, png)
    shown["table"] = dg.MetadataValue.table(list(map(_record, cohorts.curves)), _SHOWN)
    return shown


def _record(curve: CohortCurve) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "value": curve.value,
            "users": curve.users,
            "days": len(curve.spend) - 1,
            "spend_per_user": round(float(curve.spend[-1]), 4),
            "payers": round(float(curve.payers[-1]), 4),
            "cost_per_user": curve.cost,
            "payback_days": curve.payback_days,
        }
    )
