"""Insert the rows of a load in bulk, and verify that they arrived.

Scope: cutting a load into parts, each of which a backend stores by one statement and compares.
Which load counts is in `publishing`.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ds_assets.core.schema import Table
from ds_assets.infra.results.backends import backend_in_use
from ds_assets.infra.results.backends.base import Load, Part
from ds_assets.infra.results.schema import DeliveredTable

_MAX_ROWS_PER_STATEMENT = 50_000
"""So many have arrived and are compared within seconds, and fit into a server's memory."""


def load_rows(
    connection: sa.Connection, target: DeliveredTable, load: Load, rows: pa.Table
) -> None:
    """Insert a load's rows of one table, and compare what is stored with them.

    Args:
        connection: In a transaction that writes.
        target: The table.
        load: A new load.
        rows: Rows of the table's contract.

    Raises:
        DeliveryDiffers: Something else is stored.
    """
    backend = backend_in_use(connection)
    for part in _parts(target, load, rows):
        backend.load(connection, part)


def normalize_zeros(rows: pa.Table) -> pa.Table:
    """Replace -0.0 by 0.0: not every database keeps them apart."""
    for position, field in enumerate(rows.schema):
        if pa.types.is_floating(field.type):
            rows = rows.set_column(position, field, pc.add(rows[field.name], 0.0))
    return rows


def _parts(target: DeliveredTable, load: Load, rows: pa.Table) -> Iterator[Part]:
    """Cut rows into parts in the order of the primary key: stored in order, they take half as long.

    A user's rows are never in two parts.
    """
    users, after, start = rows["user_id"], "", 0
    order = _order_by_key(rows, target.contract)
    if order is not None:
        users = users.take(order)
    while start < len(users):
        end = _end_of_user(users, start + _MAX_ROWS_PER_STATEMENT)
        count = end - start
        part = rows.slice(start, count) if order is None else rows.take(order.slice(start, count))
        yield Part(target.loads, target.contract, load, normalize_zeros(part), after)
        after, start = users[end - 1].as_py(), end


def _order_by_key(rows: pa.Table, contract: Table) -> pa.Array | None:
    """Positions of the rows in the order of the key; none where they are in that order."""
    users = rows["user_id"]
    if pc.all(pc.less(users[:-1], users[1:])).as_py() is not False:
        return None
    others = [name for name in contract.key if name not in {"as_of", "user_id"}]
    return pc.sort_indices(rows, [(name, "ascending") for name in ("user_id", *others)])


def _end_of_user(users: pa.ChunkedArray, position: int) -> int:
    """The first position from here on at which another user begins, or the end."""
    while position < len(users) and users[position] == users[position - 1]:
        position += 1
    return min(position, len(users))
