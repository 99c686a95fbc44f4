"""What arrived on a day, one row a user and event date; invalid lines are quarantined."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

import dagster as dg
import pandas as pd
from pydantic import BaseModel, ConfigDict

from ds_assets.assets.daily import (
    daily_asset,
    days_of,
    report_days,
    store,
    table_file,
    table_schema,
    without_missing,
)
from ds_assets.core import activity, events
from ds_assets.core.engine import DataFrame
from ds_assets.core.tables import QUARANTINE, user_activity_table
from ds_assets.game import Game
from ds_assets.resources.configurable import EngineResource, LakeResource
from ds_assets.resources.duckdb_reader import RawFile
from ds_assets.resources.engine import DuckDBEngine
from ds_assets.resources.ingestion import fingerprint, raw_files
from ds_assets.resources.lake import FolderLake, day_folder

TABLE = "user_activity"
BATCH_BYTES = 16 << 20
"""Raw bytes that are read at once; a larger day is read alone."""

_NO_EVENTS = {"rows": 0, "users": 0, "events": 0, "late_events": 0}


class ActivityReport(BaseModel):
    """What became of a day's lines."""

    model_config = ConfigDict(frozen=True)

    day: dt.date
    raw_fingerprint: str
    files: int
    lines: int
    events: int
    """Valid, and no duplicate."""
    duplicates: int
    late_events: int
    """Of the events, those dated before the day."""
    quarantined: dict[str, int]
    """Lines, and files that broke off, by reason."""
    users: int
    rows: int

    @property
    def quarantined_share(self) -> float:
        """Share of the lines that are in quarantine; 0 without lines."""
        return sum(self.quarantined.values()) / max(self.lines, 1)


def update(
    days: Sequence[dt.date], lake: FolderLake, engine: DuckDBEngine, game: Game
) -> dict[dt.date, ActivityReport]:
    """Make `user_activity` and the quarantine of days.

    Days without raw files are not in the result.
    """
    files = {day: raw_files(day, lake) for day in days}
    reports: dict[dt.date, ActivityReport] = {}
    for batch in _batches({day: found for day, found in files.items() if found}):
        reports |= _reduce(batch, lake, engine, game)
    return reports


def read_report(day: dt.date, lake: FolderLake) -> ActivityReport | None:
    """What became of a day's lines; None for a day without `user_activity`."""
    name = _report_name(day)
    return ActivityReport.model_validate_json(lake.read(name)) if lake.exists(name) else None


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `user_activity`."""

    @daily_asset(
        game,
        "features",
        {"duckdb", "parquet"},
        __doc__,
        deps=["raw_logs"],
        metadata=table_schema(user_activity_table(game)),
    )
    def user_activity(
        context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
    ) -> None:
        days, store = days_of(context), lake.open()
        reports = update(days, store, engine.open(), game)
        missing = [day for day in days if day not in reports]
        without_missing(days, missing, f"there are no raw files in {store}/raw", context)
        report_days(context, {day: _metadata(report) for day, report in reports.items()})

    return user_activity


def _batches(files: dict[dt.date, list[RawFile]]) -> Iterator[dict[dt.date, list[RawFile]]]:
    batch: dict[dt.date, list[RawFile]] = {}
    size = 0
    for day, found in files.items():
        day_size = sum(file.path.stat().st_size for file in found)
        if batch and size + day_size > BATCH_BYTES:
            yield batch
            batch, size = {}, 0
        batch[day] = found
        size += day_size
    if batch:
        yield batch


def _reduce(
    files: dict[dt.date, list[RawFile]], lake: FolderLake, engine: DuckDBEngine, game: Game
) -> dict[dt.date, ActivityReport]:
    # Taken before the files are read: a change in between makes the day count as changed.
    prints = {day: fingerprint(day, lake) for day in files}
    with engine.events([file for found in files.values() for file in found], game) as read:
        copies, kept = _without_duplicates(read.frame, engine, game)
        reduced = activity.daily_activity(kept, game, engine)
        store(reduced, user_activity_table(game), "dt", files, lake, engine)
        store(read.bad_lines, QUARANTINE, "dt", files, lake, engine)
        lines = engine.to_pandas(events.counts(read.frame, engine))
        bad = engine.to_pandas(events.counts(read.bad_lines, engine))
    totals = _totals(files, lake, engine, game)
    reports = {}
    for day, found in files.items():
        reasons = lines[lines["dt"] == pd.Timestamp(day)]
        quarantined = bad[bad["dt"] == pd.Timestamp(day)]
        reports[day] = ActivityReport(
            day=day,
            raw_fingerprint=prints[day],
            files=len(found),
            lines=int(reasons.loc[reasons["reason"] != events.NOTHING, "lines"].sum()),
            duplicates=int((copies["dt"] == pd.Timestamp(day)).sum()),
            quarantined=dict(zip(quarantined["reason"], quarantined["lines"], strict=True)),
            **totals.get(day, _NO_EVENTS),
        )
        lake.write(_report_name(day), reports[day].model_dump_json(indent=1).encode())
    return reports


def _without_duplicates(
    frame: DataFrame, engine: DuckDBEngine, game: Game
) -> tuple[pd.DataFrame, DataFrame]:
    """Rows that repeat an event, and the events without them."""
    if game.fields.event_id is None:
        return pd.DataFrame({"dt": []}), frame
    repeats = events.duplicates(frame, engine)
    copies = engine.to_pandas(repeats)
    return copies, frame if copies.empty else events.without(frame, repeats)


def _totals(
    days: Iterable[dt.date], lake: FolderLake, engine: DuckDBEngine, game: Game
) -> dict[dt.date, dict[str, int]]:
    stored = {day: lake.local(table_file(TABLE, day)) for day in days}
    rows = engine.read(stored, user_activity_table(game))
    totals = engine.to_pandas(activity.day_totals(rows, engine)).to_dict("records")
    return {row.pop("dt").date(): {str(k): int(v) for k, v in row.items()} for row in totals}


def _report_name(day: dt.date) -> str:
    return f"{day_folder(TABLE, day)}/report.json"


def _metadata(report: ActivityReport) -> dict[str, object]:
    return {
        "dagster/partition_row_count": report.rows,
        "files": report.files,
        "lines": report.lines,
        "events": report.events,
        "users": report.users,
        "duplicates": report.duplicates,
        "late_events": report.late_events,
        "quarantined": sum(report.quarantined.values()),
        "quarantined_share": report.quarantined_share,
        "quarantine_reasons": dg.MetadataValue.json(report.quarantined),
    }
