"""Which load of a day counts, and what becomes of the others.

Belongs here: the short statements that publish a day, let days go, and delete rows that nobody sees
any more. How rows get in does not belong here.

A load that stops to count is written down in the transaction that replaces it, so none is lost, and
its rows are deleted afterwards a few at a time. Whoever delivers next goes on where one was killed.
"""

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite

from ds_assets.infra.results.connection import begin
from ds_assets.infra.results.loading import Load
from ds_assets.infra.results.schema import DELIVERIES, LOADS, NEWEST_DAY, STALE_LOADS

_ROWS_A_DELETION = 10_000


def publish(connection: sa.Connection, row: dict[str, object]) -> None:
    """Make a load the one that counts of its day.

    Args:
        connection: In the transaction that brought its rows.
        row: Of `DELIVERIES`.
    """
    ensure_row(connection, DELIVERIES, row)
    day = DELIVERIES.c.as_of == row["as_of"]
    before = _lock_loads(connection, day)
    _write_down(connection, [load for load in before if load.load_id != row["load_id"]])
    connection.execute(sa.update(DELIVERIES).where(day).values(row))


def let_days_go(connection: sa.Connection, kept: int, spared: Collection[dt.date]) -> None:
    """Have the days before the newest few no longer delivered.

    Args:
        connection: In a transaction that writes.
        kept: Days that stay, counted back from the newest delivered one; at least 1.
        spared: Days that stay, however old.
    """
    newest = connection.scalar(NEWEST_DAY)
    if newest is not None:
        old = DELIVERIES.c.as_of <= newest - dt.timedelta(days=kept)
        gone = _lock_loads(connection, sa.and_(old, DELIVERIES.c.as_of.not_in(spared)))
        _write_down(connection, gone)
        for load in gone:
            connection.execute(sa.delete(DELIVERIES).where(DELIVERIES.c.as_of == load.as_of))


def delete_stale_rows(engine: sa.Engine) -> None:
    """Delete the rows of loads that no longer count, and forget those loads.

    Raises:
        ResultsUnavailable: the database cannot be used; the next call goes on from there.
    """
    with begin(engine) as connection:
        stale = [Load(*row) for row in connection.execute(sa.select(STALE_LOADS))]
    for load in stale:
        while _delete_some(engine, load):
            pass


def ensure_row(connection: sa.Connection, table: sa.Table, row: dict[str, object]) -> None:
    """Have a row, and hold it to the transaction's end; one that is there stays as it is.

    Args:
        connection: In a transaction that writes.
        table: With a primary key of one column.
        row: Its values.
    """
    statement: sa.Insert
    if connection.dialect.name == "mysql":
        (key,) = table.primary_key.columns
        statement = mysql.insert(table).values(row)
        statement = statement.on_duplicate_key_update({key.name: key})
    else:
        statement = sqlite.insert(table).values(row).on_conflict_do_nothing()
    connection.execute(statement)


def _lock_loads(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[Load]:
    query = sa.select(DELIVERIES.c.as_of, DELIVERIES.c.load_id).where(which)
    ordered = query.order_by(DELIVERIES.c.as_of).with_for_update()
    return [Load(*row) for row in connection.execute(ordered)]


def _write_down(connection: sa.Connection, loads: list[Load]) -> None:
    for load in loads:
        values = {"as_of": load.as_of, "load_id": load.load_id}
        connection.execute(sa.insert(STALE_LOADS).values(values))


def _delete_some(engine: sa.Engine, load: Load) -> bool:
    """Delete some of a load's rows, in a transaction of its own. Returns whether there are more."""
    rows = sa.and_(LOADS.c.as_of == load.as_of, LOADS.c.load_id == load.load_id)
    users = sa.select(LOADS.c.user_id).where(rows).order_by(LOADS.c.user_id)
    with begin(engine, writing=True) as connection:
        end = connection.scalar(users.limit(1).offset(_ROWS_A_DELETION))
        some = rows if end is None else sa.and_(rows, LOADS.c.user_id < end)
        connection.execute(sa.delete(LOADS).where(some))
        if end is None:
            connection.execute(
                sa.delete(STALE_LOADS).where(
                    STALE_LOADS.c.as_of == load.as_of, STALE_LOADS.c.load_id == load.load_id
                )
            )
    return end is not None
