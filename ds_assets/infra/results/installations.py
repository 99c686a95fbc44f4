"""The installations that share a results database, each with an id that its rows have.

Scope: finding and claiming an id. Which rows have it is in `schema`.

A database starts with one installation without a name, to which rows from before there were ids
belong. The first installation that claims a name gets that id, the others new ones.
"""

import sqlalchemy as sa

from ds_assets.errors import InputError
from ds_assets.infra.installation_ids import name_has_changed, name_is_taken
from ds_assets.infra.results.connection import describe
from ds_assets.infra.results.publishing import lock_row
from ds_assets.infra.results.schema import FIRST_INSTALLATION, INSTALLATIONS, REPORT_LOCKS

UNCLAIMED = ""
NO_ROWS = 0
"""Id that no installation has."""


def find_id(connection: sa.Connection, name: str) -> tuple[int, bool]:
    """Find the id of an installation's rows, and whether it has claimed it.

    As long as nobody has, all rows are those of whoever asks. An installation that has claimed
    nothing in a database of others has no rows.
    """
    columns = INSTALLATIONS.c
    query = sa.select(columns.name, columns.id).where(columns.name.in_([name, UNCLAIMED]))
    ids = {row.name: row.id for row in connection.execute(query)}
    return ids.get(name, ids.get(UNCLAIMED, NO_ROWS)), name in ids


def not_claimed(connection: sa.Connection, name: str) -> InputError:
    """The error of an installation that is to write, and has claimed nothing."""
    return InputError(
        f"the installation {name!r} has no rows in {describe(connection.engine.url)}, which "
        "belongs to others: deliver a day first"
    )


def owner(connection: sa.Connection, name: str) -> str | None:
    """Read the id of the lake that has claimed a name; none if nobody has."""
    query = sa.select(INSTALLATIONS.c.lake).where(INSTALLATIONS.c.name == name)
    lake: str | None = connection.scalar(query)
    return lake


def refuse_conflict(connection: sa.Connection, name: str, lake: str) -> None:
    """Refuse a name that another lake has claimed, and a lake that has claimed another name.

    Raises:
        InputError: It is so.
    """
    place = describe(connection.engine.url)
    if owner(connection, name) not in {None, lake}:
        raise name_is_taken(place, name)
    names = sa.select(INSTALLATIONS.c.name).where(INSTALLATIONS.c.lake == lake)
    before = connection.scalars(names.order_by(INSTALLATIONS.c.id.desc())).all()
    if before and name not in before:
        raise name_has_changed(place, before[0], name)


def claim(connection: sa.Connection, name: str, lake: str, *, is_taking_over: bool) -> None:
    """Claim a name for a lake.

    Args:
        connection: In a transaction that writes.
        name: The name.
        lake: Id of the lake.
        is_taking_over: Whether another lake may lose the name, and this one its former name.

    Raises:
        InputError: Another lake has the name, or the lake another name.
    """
    lock_row(connection, REPORT_LOCKS, {"name": INSTALLATIONS.name})
    if not is_taking_over:
        refuse_conflict(connection, name, lake)
    own_id, is_claimed = find_id(connection, name)
    values = {"name": name, "lake": lake}
    if is_claimed or own_id == FIRST_INSTALLATION:
        own = INSTALLATIONS.c.id == own_id
        connection.execute(sa.update(INSTALLATIONS).where(own).values(values))
        return
    newest = connection.scalar(sa.select(sa.func.max(INSTALLATIONS.c.id)))
    connection.execute(sa.insert(INSTALLATIONS).values(id=newest + 1, **values))
