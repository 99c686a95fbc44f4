"""Raw logs of a day, copied byte for byte from the log source to the lake, with a manifest."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from ds_assets.daily_assets import daily_asset, days_of, leave_out, report_days
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.raw_logs import (
    Copied,
    IncompleteDayError,
    ProgressCallback,
    copy_day,
    raw_objects,
)
from ds_assets.infra.log_source.base import DailyFiles, LogSource
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.missing_days import WHAT_TO_DO

_MAX_NAMES = 20
"""Names of ignored files that are listed."""


def materialize_days(
    days: Sequence[dt.date], source: DailyFiles, lake: Lake, game: Game, report: ProgressCallback
) -> tuple[dict[dt.date, Copied], dict[dt.date, str]]:
    """Copy the new and changed files of each day.

    Returns:
        What was copied of each day, and the reason of each day that has no logs or is not complete.
        A day with logs in the lake that the source has not, or has no longer, is not left out.
    """
    copies: dict[dt.date, Copied] = {}
    reasons: dict[dt.date, str] = {}
    for day in days:
        try:
            copied = copy_day(day, source, lake, report, game.logs)
        except IncompleteDayError as error:
            reasons[day] = str(error)
            continue
        if any(file.in_source for file in copied.manifest.files):
            copies[day] = copied
        elif logs := raw_objects(day, lake):
            report(f"{day}: the source has no log files; {len(logs)} in the lake are used")
            copies[day] = copied
        else:
            reasons[day] = ""
    without_logs = [day for day, reason in reasons.items() if not reason]
    if without_logs:
        where = source.folder(without_logs[0])
        reasons |= dict.fromkeys(without_logs, f"there are no log files in {where}; {WHAT_TO_DO}")
    return copies, reasons


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `raw_logs`."""

    @daily_asset(game, "raw_logs", "logs", {"log_source", "lake"}, __doc__)
    def raw_logs(
        context: dg.AssetExecutionContext,
        log_source: dg.ResourceParam[LogSource],
        lake: dg.ResourceParam[Lake],
    ) -> None:
        days = days_of(context)
        folders = DayFolders(log_source)
        copies, reasons = materialize_days(days, folders, lake, game, context.log.info)
        leave_out(days, reasons, context)
        report_days(context, {day: _metadata(copied) for day, copied in copies.items()})
        folders.find_days(days)
        for warning in folders.describe_misnamed():
            context.log.warning(warning)

    return raw_logs


def _metadata(copied: Copied) -> dict[str, object]:
    gone = copied.manifest.gone
    files = [file for file in copied.manifest.files if file not in gone]
    return {
        "files": len(files),
        "bytes": sum(file.size for file in files),
        "files_copied": copied.files,
        "bytes_copied": copied.size,
        "gone_from_source": dg.MetadataValue.json([file.name for file in gone]),
        "ignored_files": len(copied.ignored),
        "ignored": dg.MetadataValue.json(list(copied.ignored[:_MAX_NAMES])),
    }
