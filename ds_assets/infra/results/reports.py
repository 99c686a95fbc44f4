"""Tables of reports: a few rows of a day, written and read as a whole.

Belongs here: how a day's rows take the place of those before, how they are read, and which days go.
Does not belong here: predictions, which are many and come in loads; transactions and connections.

The rows of a day are replaced in one transaction, so readers see those before or those after. Two
writers of one table take turns, each holding that table's row in `report_locks`: deleting alone
would lock nothing on a day that has no rows yet.
"""

import datetime as dt
from collections.abc import Collection

import pyarrow as pa
import sqlalchemy as sa

from ds_assets.core.schema import Table
from ds_assets.infra.results.loading import read_rows, stored_differs, with_plain_zeros
from ds_assets.infra.results.publishing import ensure_row
from ds_assets.infra.results.schema import REPORT_LOCKS, REPORTS


def replace_day(connection: sa.Connection, contract: Table, as_of: dt.date, rows: pa.Table) -> None:
    """Put rows in place of those that a day has, and compare what is stored with them.

    Args:
        connection: In a transaction that writes.
        contract: One of `REPORTS`.
        as_of: The day.
        rows: Of that day and that contract.

    Raises:
        DeliveryDiffers: something else is stored.
    """
    report = REPORTS[contract.name]
    given = with_plain_zeros(rows).sort_by([(name, "ascending") for name in contract.key])
    ensure_row(connection, REPORT_LOCKS, {"name": contract.name})
    connection.execute(sa.delete(report).where(report.c.as_of == as_of))
    if given.num_rows:
        connection.execute(sa.insert(report), given.to_pylist())
    if not read_report(connection, contract, as_of).equals(given):
        raise stored_differs(as_of)


def read_report(connection: sa.Connection, contract: Table, as_of: dt.date | None) -> pa.Table:
    """Rows of a report in the order of its key: of one day, or of all."""
    report = REPORTS[contract.name]
    query = sa.select(report).order_by(*report.primary_key)
    if as_of is not None:
        query = query.where(report.c.as_of == as_of)
    return read_rows(connection.execute(query), contract)


def let_reports_go(
    connection: sa.Connection, contract: Table, kept: int, spared: Collection[dt.date]
) -> None:
    """Delete a report's days before its newest few.

    They are counted by the report's own days: what is judged when a horizon has passed is of days
    that are long behind the newest predictions.

    Args:
        connection: In a transaction that writes.
        contract: One of `REPORTS`.
        kept: Days that stay, counted back from the report's newest one; at least 1.
        spared: Days that stay, however old.
    """
    day = REPORTS[contract.name].c.as_of
    newest: dt.date | None = connection.scalar(sa.select(sa.func.max(day)))
    if newest is not None:
        old = sa.and_(day <= newest - dt.timedelta(days=kept), day.not_in(spared))
        connection.execute(sa.delete(REPORTS[contract.name]).where(old))
