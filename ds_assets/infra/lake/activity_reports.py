"""Reports of days, stored beside their `user_activity`.

Scope: storing and reading them. Their fields are in `core.activity_report`.
"""

import datetime as dt

from ds_assets.core.activity_report import ActivityReport
from ds_assets.core.stored_documents import read_document
from ds_assets.infra.lake.base import Lake, day_folder


def store_report(report: ActivityReport, lake: Lake) -> None:
    """Write a day's report."""
    lake.write(_name(report.day), report.model_dump_json(indent=1).encode())


def read_report(day: dt.date, lake: Lake) -> ActivityReport | None:
    """A day's report; None for a day without `user_activity`.

    Raises:
        InputError: it is damaged, or of a newer release.
    """
    try:
        return read_document(ActivityReport, lake.read(_name(day)), _name(day))
    except FileNotFoundError:
        return None


def _name(day: dt.date) -> str:
    return f"{day_folder('user_activity', day)}/report.json"
