"""Several installations in one database, each with an id in the key of its rows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views
from ds_assets.infra.results.schema import KeyText

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FIRST = 1
"""Id of the installation that the stored rows belong to."""
_KEYS = {
    "deliveries": ("as_of",),
    "cluster_profiles": ("as_of", "cluster"),
    "model_metrics": ("as_of", "target", "contender", "segment", "snapshot", "measure"),
    "prediction_outcomes": ("as_of", "target", "segment"),
}
_COLUMNS = {
    "player_predictions": (
        "user_id",
        "as_of",
        "last_seen",
        "churn_probability",
        "payment_probability",
        "expected_spend",
        "cluster",
        "cluster_name",
        "user_group",
        "churn_reasons",
        "payment_reasons",
        "churn_missing",
        "payment_missing",
        "churn_model",
        "payment_model",
        "cluster_model",
    ),
    "target_predictions": (
        "as_of",
        "user_id",
        "target",
        "probability",
        "reasons",
        "missing",
        "model",
    ),
}
_LOADS = {
    "player_predictions": "player_prediction_loads",
    "target_predictions": "target_prediction_loads",
}
_MEANING = "The installation, see installations."


def upgrade() -> None:
    """Make the table, add the id to the keys, and have the views show it."""
    op.create_table(
        "installations",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, comment="Its id."),
        sa.Column(
            "name",
            KeyText,
            nullable=False,
            comment="Its name; empty until an installation claims it.",
        ),
        sa.Column("lake", sa.String(32), nullable=False, comment="Id of the lake that delivers."),
        sa.UniqueConstraint("name", name="installations_name"),
        comment="Installations that share this database, each with rows of its own.",
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )
    connection = op.get_bind()
    if not connection.scalar(sa.text("SELECT count(*) FROM installations")):
        op.execute(f"INSERT INTO installations (id, name, lake) VALUES ({_FIRST}, '', '')")
    views = _views()
    if connection.dialect.name == "sqlite":
        for view in views:  # it renames no table while a view lacks one
            op.execute(f"DROP VIEW IF EXISTS {view}")
    for table, key in _KEYS.items():
        columns = sa.inspect(connection).get_columns(table)
        if "installation_id" not in {column["name"] for column in columns}:
            _add_to_key(table, ("installation_id", *key))
    replace_views(views)


def _views() -> dict[str, str]:
    views: dict[str, str] = {}
    for name, columns in _COLUMNS.items():
        listed = ", ".join([*(f"p.{column}" for column in columns), "d.installation_id"])
        delivered = (
            f"SELECT {listed} FROM deliveries AS d JOIN {_LOADS[name]} AS p"
            " ON p.as_of = d.as_of AND p.load_id = d.load_id"
        )
        newest = (
            "SELECT max(n.as_of) FROM deliveries AS n WHERE n.installation_id = d.installation_id"
        )
        views |= {name: delivered, f"{name}_current": f"{delivered} WHERE d.as_of = ({newest})"}
    return views


def _add_to_key(table: str, key: tuple[str, ...]) -> None:
    changes = {
        "sqlite": _copy_rows,
        "mysql": _alter_table,
        "postgresql": _add_column_and_key,
    }
    changes[op.get_context().dialect.name](table, key)


def _alter_table(table: str, key: tuple[str, ...]) -> None:
    # In one statement, so that it happens as a whole or not at all.
    op.execute(
        f"ALTER TABLE {table}"
        f" ADD COLUMN installation_id INTEGER NOT NULL DEFAULT {_FIRST} COMMENT '{_MEANING}',"
        f" DROP PRIMARY KEY, ADD PRIMARY KEY ({', '.join(key)})"
    )


def _add_column_and_key(table: str, key: tuple[str, ...]) -> None:
    op.add_column(table, _installation_id())
    op.drop_constraint(f"{table}_pkey", table)
    op.create_primary_key(f"{table}_pkey", table, [*key])


def _copy_rows(table: str, key: tuple[str, ...]) -> None:
    # SQLite cannot change a primary key.
    old = sa.Table(table, sa.MetaData(), autoload_with=op.get_bind())
    columns: list[sa.Column[Any]] = [
        sa.Column(it.name, it.type, nullable=it.nullable, server_default=it.server_default)
        for it in old.columns
    ]
    op.create_table(
        f"{table}_new",
        *columns,
        _installation_id(),
        sa.PrimaryKeyConstraint(*key),
        sqlite_with_rowid=table == "deliveries",
    )
    listed = ", ".join(it.name for it in old.columns)
    op.execute(f"INSERT INTO {table}_new ({listed}) SELECT {listed} FROM {table}")
    op.drop_table(table)
    op.rename_table(f"{table}_new", table)


def _installation_id() -> "sa.Column[int]":
    return sa.Column(
        "installation_id",
        sa.Integer,
        nullable=False,
        server_default=str(_FIRST),
        comment=_MEANING,
    )
