"""Reports: a few rows for each day, written and read as a whole.

Scope: replacing a day's rows, and the retention. Predictions, which are many and come in loads, are
not here.

The rows of a day are replaced in one transaction, so readers see the old ones or the new ones. Two
writers of one report take turns, each holding the report's row in `report_locks`: deleting alone
would lock nothing on a day that has no rows yet.
"""

import datetime as dt
from collections.abc import Collection

import pyarrow as pa
import sqlalchemy as sa

from ds_assets.core.schema import Table
from ds_assets.infra.results.backends.rows import read_rows
from ds_assets.infra.results.errors import DeliveryDiffers
from ds_assets.infra.results.loading import normalize_zeros
from ds_assets.infra.results.publishing import lock_row
from ds_assets.infra.results.schema import REPORT_LOCKS, REPORTS


def replace_day(
    connection: sa.Connection, installation_id: int, contract: Table, as_of: dt.date, rows: pa.Table
) -> None:
    """Replace the rows of a day, and compare what is stored with the new ones.

    Args:
        connection: In a transaction that writes.
        installation_id: The installation.
        contract: One of `REPORTS`.
        as_of: The day.
        rows: Of that day and that contract.

    Raises:
        DeliveryDiffers: Something else is stored.
    """
    report = REPORTS[contract.name]
    day = sa.and_(report.c.installation_id == installation_id, report.c.as_of == as_of)
    ordered = normalize_zeros(rows).sort_by([(name, "ascending") for name in contract.key])
    lock_row(connection, REPORT_LOCKS, {"name": contract.name})
    connection.execute(sa.delete(report).where(day))
    if ordered.num_rows:
        statement = sa.insert(report).values(installation_id=installation_id)
        connection.execute(statement, ordered.to_pylist())
    columns = [report.c[name] for name in contract.names]
    stored = connection.execute(sa.select(*columns).where(day).order_by(*report.primary_key))
    if not read_rows(stored, contract).equals(ordered):
        raise DeliveryDiffers.in_rows(as_of)


def list_days(connection: sa.Connection, installation_id: int, contract: Table) -> list[dt.date]:
    """List the days of a report that have rows, ascending."""
    report = REPORTS[contract.name]
    own = report.c.installation_id == installation_id
    days = sa.select(report.c.as_of).where(own).distinct().order_by(report.c.as_of)
    return list(connection.scalars(days))


def apply_retention(
    connection: sa.Connection,
    installation_id: int,
    contract: Table,
    days: int,
    exempt: Collection[dt.date],
) -> None:
    """Delete a report's days before its newest few.

    They are counted back from the report's own newest day: outcomes are of days that are a horizon
    behind the newest predictions.

    Args:
        connection: In a transaction that writes.
        installation_id: The installation.
        contract: One of `REPORTS`.
        days: Days to keep, counted back from the report's newest one; at least 1.
        exempt: Days to keep, however old.
    """
    report = REPORTS[contract.name]
    day, own = report.c.as_of, report.c.installation_id == installation_id
    newest: dt.date | None = connection.scalar(sa.select(sa.func.max(day)).where(own))
    if newest is not None:
        expired = sa.and_(day <= newest - dt.timedelta(days=days), day.not_in(exempt))
        connection.execute(sa.delete(report).where(own, expired))


def delete_days(connection: sa.Connection, installation_id: int, days: Collection[dt.date]) -> None:
    """Delete the rows of days from every report.

    Args:
        connection: In a transaction that writes.
        installation_id: The installation.
        days: The days.
    """
    for name, report in REPORTS.items():
        lock_row(connection, REPORT_LOCKS, {"name": name})
        own = report.c.installation_id == installation_id
        connection.execute(sa.delete(report).where(own, report.c.as_of.in_(days)))
