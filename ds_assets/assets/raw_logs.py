"""Raw logs of a day, copied byte for byte from the log source to the lake, with a manifest."""

import datetime as dt
from collections.abc import Iterator, Sequence

import dagster as dg

from ds_assets.core.log_names import find_misnamed_days
from ds_assets.daily_assets import daily_asset, days_of, leave_out, report_days
from ds_assets.game import Game, Logs
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.raw_logs import Copied, ProgressCallback, copy_day
from ds_assets.infra.log_source.base import LogSource

_MAX_NAMES = 20
"""Names of folders or ignored files that are listed."""


def materialize_days(
    days: Sequence[dt.date], source: LogSource, lake: Lake, report: ProgressCallback
) -> dict[dt.date, Copied]:
    """Copy the new and changed files of each day.

    Days without source files are not in the result.
    """
    copies = {day: copy_day(day, source, lake, report) for day in days}
    return {
        day: copied
        for day, copied in copies.items()
        if any(file.in_source for file in copied.manifest.files)
    }


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `raw_logs`."""

    @daily_asset(game, "raw_logs", "logs", {"s3", "azure"}, __doc__)
    def raw_logs(
        context: dg.AssetExecutionContext,
        log_source: dg.ResourceParam[LogSource],
        lake: dg.ResourceParam[Lake],
    ) -> None:
        days = days_of(context)
        copies = materialize_days(days, log_source, lake, context.log.info)
        missing = [day for day in days if day not in copies]
        where = f"there are no log files in {log_source.folder(missing[0])}" if missing else ""
        leave_out(days, dict.fromkeys(missing, where), context)
        report_days(context, {day: _metadata(copied) for day, copied in copies.items()})
        for warning in misnamed_folders(days, log_source, game.logs):
            context.log.warning(warning)

    return raw_logs


def misnamed_folders(days: Sequence[dt.date], source: LogSource, logs: Logs) -> Iterator[str]:
    """Yield a sentence for each place in the source whose folders look like days but are not."""
    places = {source.folder(day).rpartition("/")[0]: day for day in days}
    for place, day in places.items():
        pattern = logs.path.rpartition("/")[2]
        if names := find_misnamed_days(source.siblings(day), pattern):
            listed = ", ".join(names[:_MAX_NAMES])
            yield (
                f"{place}: {len(names)} folders look like days and are not collected, because "
                f"logs.path names days {logs.path}: {listed}"
            )


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
