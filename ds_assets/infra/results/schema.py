"""The tables of the results database, made from the one column contract.

Belongs here: what lies in which table and view, and how a logical type is stored in SQLite and in
MySQL. Does not belong here: how a database gets from one version to the next (`migrations`).

Every delivery of a day is a load of its own: rows with a load id that nobody else has. `deliveries`
says which load of a day counts; the views show the rows of those loads alone. So a day is published
by one short row, whatever its size, and a load that is half there, or replaced, is never seen.

Reports are small: a table of each, without loads.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateView
from sqlalchemy.types import TypeEngine

from ds_assets.core.schema import Column, ColumnType, Table
from ds_assets.core.tables import CLUSTER_PROFILES, MODEL_METRICS, PREDICTION_OUTCOMES, PREDICTIONS

SCHEMA_VERSION = "0004"
"""The newest version in `migrations`, which is what this software reads and writes."""
KEY_LENGTH = 191
"""Most characters of a user id, or of another text that identifies a row."""
RUN_ID_LENGTH = 255
"""Most characters of a run's id."""


class KeyText(sa.types.TypeDecorator[str]):
    """Text that is equal only to itself: case counts, and so do spaces at its end.

    Its order is that of its UTF-8 bytes, in both databases.
    """

    impl = sa.String(KEY_LENGTH)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """The column type; MySQL and MariaDB have different names for the same collation."""
        kind: TypeEngine[Any] = sa.String(KEY_LENGTH)
        if isinstance(dialect, mysql.dialect):
            collation = "utf8mb4_nopad_bin" if dialect.is_mariadb else "utf8mb4_0900_bin"
            kind = mysql.VARCHAR(KEY_LENGTH, charset="utf8mb4", collation=collation)
        return dialect.type_descriptor(kind)


_SQL_TYPES: dict[ColumnType, type[TypeEngine[Any]]] = {
    "text": sa.Text,
    "json": sa.Text,
    "integer": sa.BigInteger,
    "real": sa.Double,
    "date": sa.Date,
}
_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


def _sql_columns(contract: Table) -> list[sa.Column[Any]]:
    return [_sql_column(column, column.name in contract.key) for column in contract.columns]


def _sql_column(column: Column, is_key: bool) -> sa.Column[Any]:
    is_text_key = is_key and column.type == "text"
    return sa.Column(
        column.name,
        KeyText if is_text_key else _SQL_TYPES[column.type],
        nullable=column.nullable,
        comment=column.meaning,
    )


def _load_id(comment: str) -> sa.Column[Any]:
    # 0 is the load of what was delivered before loads were told apart.
    return sa.Column("load_id", sa.BigInteger, nullable=False, server_default="0", comment=comment)


METADATA = sa.MetaData()
"""Every table of the results database."""

LOADS = sa.Table(
    "player_prediction_loads",
    METADATA,
    *_sql_columns(PREDICTIONS),
    _load_id("The load that brought the row."),
    sa.PrimaryKeyConstraint("as_of", "load_id", "user_id"),
    sqlite_with_rowid=False,
    **_MYSQL,
)
"""The rows of all loads, among them some that do not count."""

DELIVERIES = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("as_of", sa.Date, primary_key=True, comment="The day delivered."),
    sa.Column(
        "run_id", sa.String(RUN_ID_LENGTH), nullable=False, comment="Run that delivered it last."
    ),
    sa.Column("row_count", sa.BigInteger, nullable=False, comment="Rows of the day."),
    sa.Column("checksum", sa.String(64), nullable=False, comment="SHA-256 of the day's rows."),
    sa.Column("delivered_at", sa.DateTime, nullable=False, comment="When, in UTC."),
    _load_id("The load whose rows count."),
    **_MYSQL,
)
"""The load that counts of each day."""

STALE_LOADS = sa.Table(
    "stale_loads",
    METADATA,
    sa.Column("as_of", sa.Date, primary_key=True, comment="Day of the rows."),
    sa.Column(
        "load_id",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="The load that brought them.",
    ),
    comment="Loads that no longer count, and whose rows are to be deleted.",
    **_MYSQL,
)
"""Loads that no longer count, and whose rows are to be deleted."""


def _report(contract: Table) -> sa.Table:
    return sa.Table(
        contract.name,
        METADATA,
        *_sql_columns(contract),
        sa.PrimaryKeyConstraint(*contract.key),
        sqlite_with_rowid=False,
        **_MYSQL,
    )


REPORTS = {
    contract.name: _report(contract)
    for contract in (
        CLUSTER_PROFILES,
        MODEL_METRICS,
        PREDICTION_OUTCOMES,
    )
}
"""Tables of reports by their names. The key of each begins with `as_of`."""

REPORT_LOCKS = sa.Table(
    "report_locks",
    METADATA,
    sa.Column("name", KeyText, primary_key=True, comment="The table of reports."),
    comment="Who writes a table of reports holds its row here meanwhile.",
    **_MYSQL,
)
"""Who writes a table of reports holds its row here meanwhile."""

VIEWS = sa.MetaData()
"""What people and programs read."""

NEWEST_DAY = sa.select(sa.func.max(DELIVERIES.c.as_of).label("as_of"))
_DELIVERED_ROWS = sa.select(*(LOADS.c[name] for name in PREDICTIONS.names)).join_from(
    DELIVERIES,
    LOADS,
    sa.and_(LOADS.c.as_of == DELIVERIES.c.as_of, LOADS.c.load_id == DELIVERIES.c.load_id),
)
DELIVERED = CreateView(_DELIVERED_ROWS, f"player_{PREDICTIONS.name}", metadata=VIEWS).table
"""The rows of every delivered day."""
CURRENT = CreateView(
    _DELIVERED_ROWS.where(DELIVERIES.c.as_of == NEWEST_DAY.scalar_subquery()),
    f"player_{PREDICTIONS.name}_current",
    metadata=VIEWS,
).table
"""The rows of the newest delivered day."""
