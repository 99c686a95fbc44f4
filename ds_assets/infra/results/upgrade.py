"""Bringing the schema of a results database to the version that this software needs.

Belongs here: telling which version there is, running what is missing with nobody beside, and what
is said when that cannot be. What the versions are lies in `migrations`.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import sqlalchemy as sa

from ds_assets.errors import InputError
from ds_assets.infra.results.connection import ResultsBusy, ResultsUnavailable, describe, is_denied
from ds_assets.infra.results.schema import SCHEMA_VERSION

COMMAND = "python -m ds_assets.infra.results.migrations"
"""What an owner runs where others may not change the schema."""

_VERSIONS = sa.table("alembic_version", sa.column("version_num", sa.String))
_FIRST = {"deliveries": {"as_of", "run_id", "row_count", "checksum", "delivered_at"}}
"""Columns of a table that was made before there were versions."""
_LOCK_SECONDS = 45
_CHANGE_SECONDS = 3_600
"""Longest wait for one change; MySQL copies a table with all its rows for some of them."""


class SchemaDiffers(InputError, ResultsUnavailable):
    """The database has another schema than this software needs; the message says what to do."""


def schema_version(connection: sa.Connection) -> str | None:
    """The version of a database's schema; none where it has none, or its user may not see it."""
    if not sa.inspect(connection).has_table(_VERSIONS.name):
        return None
    version: str | None = connection.scalar(sa.select(_VERSIONS.c.version_num))
    return version


def refuse_unknown(connection: sa.Connection, version: str | None) -> None:
    """Refuse a schema that this software does not know.

    Raises:
        SchemaDiffers: it is newer than this software, or not this software's.
    """
    where = describe(connection.engine.url)
    if version is None:
        _refuse_others_tables(connection, where)
    elif not (re.fullmatch(r"\d{4}", version) and version <= SCHEMA_VERSION):
        raise SchemaDiffers(
            f"{where} has schema version {version}, and this software knows those up to "
            f"{SCHEMA_VERSION}: update the software, or name another database"
        )


def upgrade(connection: sa.Connection) -> None:
    """Run the versions that are missing, one process at a time.

    Args:
        connection: In a transaction that writes.

    Raises:
        SchemaDiffers: it is newer than this software, not this software's, or older and the user
            may not change it.
        ResultsBusy: another process has been at it for long.
    """
    with _alone(connection):
        version = schema_version(connection)
        refuse_unknown(connection, version)
        if version == SCHEMA_VERSION:
            return
        try:
            _run_versions(connection)
        except sa.exc.DBAPIError as error:
            if not is_denied(error):
                raise
            found = "no schema" if version is None else f"schema version {version}"
            raise SchemaDiffers(
                f"{describe(connection.engine.url)} has {found} that its user can see, this "
                f"software needs version {SCHEMA_VERSION}, and the user may not make it: run "
                f"`{COMMAND}` with the address of the database's owner, and give this user the "
                "GRANTs of docs/mysql.md"
            ) from error


def _refuse_others_tables(connection: sa.Connection, where: str) -> None:
    look = sa.inspect(connection)
    for table, columns in _FIRST.items():
        if look.has_table(table):
            found = {column["name"] for column in look.get_columns(table)}
            if not columns <= found:
                raise SchemaDiffers(
                    f"{where} has a table {table} with the columns {', '.join(sorted(found))}, "
                    "which is not this software's: name a database of its own"
                )


def _run_versions(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415  (slow to import, and seldom needed)
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    driver = connection.connection.driver_connection
    patience = getattr(driver, "patience", None)
    with patience(_CHANGE_SECONDS) if patience else nullcontext():
        command.upgrade(config, SCHEMA_VERSION)


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    if connection.dialect.name != "mysql":
        yield  # a transaction that writes is alone in SQLite, and it holds for changes of a schema
        return
    name = sa.func.left(sa.func.concat("ds_assets schema of ", sa.func.database()), 64)
    if connection.scalar(sa.select(sa.func.get_lock(name, _LOCK_SECONDS))) != 1:
        raise ResultsBusy(
            f"{describe(connection.engine.url)} cannot be used: another process has been changing "
            f"its schema for {_LOCK_SECONDS} s"
        )
    try:
        yield
        # The last version's number would else be written when others have looked for it.
        connection.connection.commit()
    finally:
        if not connection.invalidated:
            connection.execute(sa.select(sa.func.release_lock(name)))
