"""Reports of days, stored beside their `user_activity`.

The name of a report begins with `_`, so that pandas, DuckDB and Spark read the table's whole folder
without it. Earlier releases stored it as `report.json`, which `adoption` renames.

Scope: storing and reading them. Their fields are in `core.activity_report`.
"""

import datetime as dt
import logging
from collections.abc import Callable
from contextlib import suppress

from ds_assets.core.activity_report import ActivityReport
from ds_assets.core.stored_documents import read_document
from ds_assets.errors import InputError
from ds_assets.infra.lake.base import Lake, day_folder, day_of

_log = logging.getLogger(__name__)


def store_report(report: ActivityReport, lake: Lake) -> None:
    """Write a day's report."""
    lake.write(_name(report.day), report.model_dump_json(indent=1).encode())
    lake.delete([_earlier_name(report.day)])


def read_report(
    day: dt.date, lake: Lake, warn: Callable[[str], None] = _log.warning
) -> ActivityReport | None:
    """Read a day's report.

    Args:
        day: The day.
        lake: Where it is stored.
        warn: Receives a sentence about a report that cannot be read.

    Returns:
        The report; None for a day without `user_activity`, or whose report cannot be read.
    """
    try:
        for name in (_name(day), _earlier_name(day)):
            with suppress(FileNotFoundError):
                return read_document(ActivityReport, lake.read(name), name)
    except InputError as error:
        warn(
            f"{error}; the checks of other days do without the counts of {day} until user_activity "
            "of that day is materialized again"
        )
    return None


def rename_reports(lake: Lake) -> None:
    """Give the reports of earlier releases their present name; a kill may come at any point."""
    names = {item.name for item in lake.objects("user_activity")}
    earlier = {it: _name(day) for it in names if (day := _day_of_earlier_name(it))}
    for name, present in earlier.items():
        if present not in names:
            with suppress(FileNotFoundError):  # another process renames it, too
                lake.write(present, lake.read(name))
    lake.delete(earlier)


def _day_of_earlier_name(name: str) -> dt.date | None:
    folder, _, file = name.partition("/")[2].partition("/")
    return day_of(folder) if file == "report.json" else None


def _name(day: dt.date) -> str:
    return f"{day_folder('user_activity', day)}/_report.json"


def _earlier_name(day: dt.date) -> str:
    return f"{day_folder('user_activity', day)}/report.json"
