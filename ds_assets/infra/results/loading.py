"""Insert the rows of a load in bulk, and verify that they arrived.

Scope: cutting a load into parts, each of which a backend stores by one statement and compares.
Which load counts is in `publishing`.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ds_assets.infra.results.backends import backend_in_use
from ds_assets.infra.results.backends.base import Load, Part
from ds_assets.infra.results.schema import DeliveredTable

_MAX_ROWS_PER_STATEMENT = 50_000
"""So many have arrived and are compared within seconds, and fit into a server's memory."""


def cut_between_users(pieces: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Gather rows into tables of the size of a statement, without splitting a user's rows.

    Args:
        pieces: Rows in the order of the primary key: stored in order, they take half as long.
    """
    held: list[pa.Table] = []
    for piece in filter(len, pieces):
        held.append(piece)
        if sum(rows.num_rows for rows in held) > _MAX_ROWS_PER_STATEMENT:
            *whole, rest = _cut(pa.concat_tables(held))
            held = [rest]
            yield from whole
    if held:
        yield pa.concat_tables(held)


def load_rows(
    connection: sa.Connection, target: DeliveredTable, load: Load, tables: Iterable[pa.Table]
) -> None:
    """Insert a load's rows of one table, and compare what is stored with them.

    Args:
        connection: In a transaction that writes.
        target: The table.
        load: A new load.
        tables: Rows of the table's contract, as `cut_between_users` yields them.

    Raises:
        DeliveryDiffers: Something else is stored.
    """
    backend, after = backend_in_use(connection), ""
    for rows in tables:
        part = Part(target.loads, target.contract, load, normalize_zeros(rows), after)
        backend.load(connection, part)
        after = rows["user_id"][-1].as_py()


def normalize_zeros(rows: pa.Table) -> pa.Table:
    """Replace -0.0 by 0.0: not every database keeps them apart."""
    for position, field in enumerate(rows.schema):
        if pa.types.is_floating(field.type):
            rows = rows.set_column(position, field, pc.add(rows[field.name], 0.0))
    return rows


def _cut(rows: pa.Table) -> Iterator[pa.Table]:
    """Cut rows between users; the last table may be short, and its last user may have more rows."""
    users, start = rows["user_id"], 0
    while len(users) - start > _MAX_ROWS_PER_STATEMENT:
        end = _end_of_user(users, start + _MAX_ROWS_PER_STATEMENT)
        if end == len(users):
            break
        yield rows.slice(start, end - start)
        start = end
    yield rows.slice(start)


def _end_of_user(users: pa.ChunkedArray, position: int) -> int:
    """The first position from here on at which another user begins, or the end."""
    while position < len(users) and users[position] == users[position - 1]:
        position += 1
    return position
