"""Upgrades of a results database's schema to the version that this software needs.

Scope: finding the version, running the missing migrations under a lock, and the messages where that
is not possible. What the versions change is in `migrations`.
"""

import re
from pathlib import Path

import sqlalchemy as sa

from ds_assets.infra.results.backends import backend_in_use
from ds_assets.infra.results.backends.base import SCHEMA_LOCK_SECONDS
from ds_assets.infra.results.connection import describe, is_denied
from ds_assets.infra.results.errors import ResultsBusy, SchemaDiffers
from ds_assets.infra.results.schema import METADATA, SCHEMA_VERSION

COMMAND = "python -m ds_assets.infra.results.migrations"
"""The command for the owner of a database whose other accounts may not change the schema."""

_VERSIONS = sa.table("alembic_version", sa.column("version_num", sa.String))
_UNVERSIONED_TABLES = {"deliveries": {"as_of", "run_id", "row_count", "checksum", "delivered_at"}}
"""Columns of a table that was made before the schema had versions."""


def schema_version(connection: sa.Connection) -> str | None:
    """Read the version of a schema; none where there is none, or the account may not see it."""
    if not sa.inspect(connection).has_table(_VERSIONS.name):
        return None
    version: str | None = connection.scalar(sa.select(_VERSIONS.c.version_num))
    return version


def refuse_unknown(connection: sa.Connection, version: str | None) -> None:
    """Refuse a schema that this software does not know.

    Raises:
        SchemaDiffers: It is newer than this software, or belongs to another one.
    """
    place = describe(connection.engine.url)
    if version is None:
        _refuse_foreign_tables(connection, place)
    elif not (re.fullmatch(r"\d{4}", version) and version <= SCHEMA_VERSION):
        raise SchemaDiffers(
            f"{place} has schema version {version}, and this software knows those up to "
            f"{SCHEMA_VERSION}: update the software, or name another database"
        )


def upgrade(connection: sa.Connection) -> None:
    """Run the missing migrations, in one process at a time.

    Args:
        connection: In a transaction that writes.

    Raises:
        SchemaDiffers: The schema is newer than this software, belongs to another one, or is older
            and the account may not change it.
        ResultsBusy: Another process has been changing it for long.
    """
    with backend_in_use(connection).schema_lock(connection) as is_locked:
        if not is_locked:
            raise ResultsBusy(
                f"{describe(connection.engine.url)} cannot be used: another process has been "
                f"changing its schema for {SCHEMA_LOCK_SECONDS} s"
            )
        version = schema_version(connection)
        refuse_unknown(connection, version)
        if version != SCHEMA_VERSION:
            _migrate(connection, version)


def _migrate(connection: sa.Connection, version: str | None) -> None:
    try:
        _run_migrations(connection)
        _update_comments(connection)
    except sa.exc.DBAPIError as error:
        if not is_denied(error, connection):
            raise
        schema = "no schema" if version is None else f"schema version {version}"
        raise SchemaDiffers(
            f"{describe(connection.engine.url)} has {schema} that its user can see, this "
            f"software needs version {SCHEMA_VERSION}, and the user may not make it: run "
            f"`{COMMAND}` with the address of the database's owner, and give this user the "
            "GRANTs of docs/results.md"
        ) from error


def _refuse_foreign_tables(connection: sa.Connection, place: str) -> None:
    inspector = sa.inspect(connection)
    for table, columns in _UNVERSIONED_TABLES.items():
        if inspector.has_table(table):
            stored = {column["name"] for column in inspector.get_columns(table)}
            if not columns <= stored:
                raise SchemaDiffers(
                    f"{place} has a table {table} with the columns {', '.join(sorted(stored))}, "
                    "which is not this software's: name a database of its own"
                )


def _run_migrations(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415  (slow to import, and rarely needed)
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, SCHEMA_VERSION)


def _update_comments(connection: sa.Connection) -> None:
    """Store the descriptions of tables and columns as their comments, where they have changed."""
    if not connection.dialect.supports_comments:
        return
    inspector = sa.inspect(connection)
    for table in METADATA.tables.values():
        if inspector.get_table_comment(table.name)["text"] != table.comment:
            connection.execute(sa.schema.SetTableComment(table))
        stored = {column["name"]: column["comment"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if stored[column.name] != column.comment:
                connection.execute(sa.schema.SetColumnComment(column))
