"""Which load of a day counts, and the deletion of the others.

Scope: the short statements that publish a day, apply the retention, and delete rows that are no
longer visible. How rows are inserted is in `loading`.

The transaction that replaces a load records it as stale, so none is lost, and its rows are deleted
afterwards, a few at a time. If that is interrupted, the next delivery continues it.
"""

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa

from ds_assets.infra.results.backends import backend_in_use
from ds_assets.infra.results.backends.base import Load
from ds_assets.infra.results.connection import begin
from ds_assets.infra.results.schema import DELIVERED_TABLES, DELIVERIES, STALE_LOADS, newest_day

_MAX_ROWS_PER_DELETION = 10_000


def publish(connection: sa.Connection, row: dict[str, object]) -> None:
    """Make a load the one of its day that counts.

    Args:
        connection: In the transaction that inserted its rows.
        row: Of `DELIVERIES`.
    """
    lock_row(connection, DELIVERIES, row)
    key = (DELIVERIES.c.installation_id, DELIVERIES.c.as_of)
    day = sa.and_(*(column == row[column.name] for column in key))
    current = _lock_loads(connection, day)
    _record_stale(connection, [load for load in current if load.load_id != row["load_id"]])
    connection.execute(sa.update(DELIVERIES).where(day).values(row))


def withdraw(
    connection: sa.Connection, installation_id: int, which: sa.ColumnElement[bool]
) -> None:
    """Withdraw deliveries of an installation: their rows are no longer visible.

    Args:
        connection: In a transaction that writes.
        installation_id: The installation.
        which: Condition of its deliveries.
    """
    own = DELIVERIES.c.installation_id == installation_id
    loads = _lock_loads(connection, sa.and_(own, which))
    _record_stale(connection, loads)
    for load in loads:
        day = DELIVERIES.c.as_of == load.as_of
        connection.execute(sa.delete(DELIVERIES).where(own, day))


def apply_retention(
    connection: sa.Connection, installation_id: int, days: int, exempt: Collection[dt.date]
) -> None:
    """Withdraw the days before the newest few.

    Args:
        connection: In a transaction that writes.
        installation_id: The installation.
        days: Days to keep, counted back from the newest delivered one; at least 1.
        exempt: Days to keep, however old.
    """
    newest = connection.scalar(newest_day(installation_id))
    if newest is not None:
        old = DELIVERIES.c.as_of <= newest - dt.timedelta(days=days)
        expired = sa.and_(old, DELIVERIES.c.as_of.not_in(exempt))
        withdraw(connection, installation_id, expired)


def delete_stale_rows(engine: sa.Engine) -> None:
    """Delete the rows of loads that no longer count, and forget those loads.

    Raises:
        ResultsUnavailable: The database cannot be used; the next call continues from there.
    """
    with begin(engine) as connection:
        stale = [Load(*row) for row in connection.execute(sa.select(STALE_LOADS))]
    for load in stale:
        for table in DELIVERED_TABLES:
            while _delete_some(engine, table.loads, load):
                pass
        with begin(engine, writing=True) as connection:
            connection.execute(
                sa.delete(STALE_LOADS).where(
                    STALE_LOADS.c.as_of == load.as_of, STALE_LOADS.c.load_id == load.load_id
                )
            )


def lock_row(connection: sa.Connection, table: sa.Table, row: dict[str, object]) -> None:
    """Lock a row until the end of the transaction, and insert it first where it is missing.

    Args:
        connection: In a transaction that writes.
        table: The table.
        row: The values to insert; a row that is there keeps its own.
    """
    connection.execute(backend_in_use(connection).upsert_and_lock(table, row))


def _lock_loads(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Load]:
    query = sa.select(DELIVERIES.c.as_of, DELIVERIES.c.load_id).where(which)
    ordered = query.order_by(DELIVERIES.c.as_of).with_for_update()
    return [Load(*row) for row in connection.execute(ordered)]


def _record_stale(connection: sa.Connection, loads: list[Load]) -> None:
    for load in loads:
        values = {"as_of": load.as_of, "load_id": load.load_id}
        connection.execute(sa.insert(STALE_LOADS).values(values))


def _delete_some(engine: sa.Engine, table: sa.Table, load: Load) -> bool:
    """Delete some of a load's rows in a transaction of its own. Returns whether there are more."""
    rows = sa.and_(table.c.as_of == load.as_of, table.c.load_id == load.load_id)
    users = sa.select(table.c.user_id).where(rows).order_by(table.c.user_id)
    with begin(engine, writing=True) as connection:
        end = connection.scalar(users.limit(1).offset(_MAX_ROWS_PER_DELETION))
        some = rows if end is None else sa.and_(rows, table.c.user_id < end)
        connection.execute(sa.delete(table).where(some))
    return end is not None
