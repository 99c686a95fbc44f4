"""Every delivery of a day is a load of its own; views show the loads that count."""

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LOADS = "player_prediction_loads"
_COLUMNS = (
    "user_id",
    "as_of",
    "churn_probability",
    "payment_probability",
    "cluster",
    "cluster_name",
    "churn_model",
    "payment_model",
    "cluster_model",
)
_LISTED = ", ".join(f"p.{name}" for name in _COLUMNS)
_DELIVERED = (
    f"SELECT {_LISTED} FROM deliveries AS d JOIN {_LOADS} AS p"
    " ON p.as_of = d.as_of AND p.load_id = d.load_id"
)
_VIEWS = {
    "player_predictions": _DELIVERED,
    "player_predictions_current": (
        f"{_DELIVERED} WHERE d.as_of = (SELECT max(n.as_of) FROM deliveries AS n)"
    ),
}


def upgrade() -> None:
    """Give rows and deliveries a load id, 0 for those that are there, and make the views."""
    inspector = sa.inspect(op.get_bind())
    views = {*inspector.get_view_names()} & {"player_predictions"}
    for view in ("player_predictions_current", *views):
        op.execute(f"DROP VIEW IF EXISTS {view}")
    if "load_id" not in {column["name"] for column in inspector.get_columns("deliveries")}:
        op.add_column("deliveries", _load_id("The load whose rows count."))
    if _LOADS not in inspector.get_table_names():
        add_load_id = {
            "sqlite": _copy_rows,
            "mysql": _alter_table,
            "postgresql": _rename_and_alter_table,
        }
        add_load_id[op.get_context().dialect.name](_load_id("The load that brought the row."))
    op.create_table(
        "stale_loads",
        sa.Column("as_of", sa.Date, nullable=False, comment="Day of the rows."),
        sa.Column("load_id", sa.BigInteger, nullable=False, comment="The load that brought them."),
        sa.PrimaryKeyConstraint("as_of", "load_id"),
        comment="Loads that no longer count, and whose rows are to be deleted.",
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )
    replace_views(_VIEWS)


def _load_id(comment: str) -> "sa.Column[int]":
    return sa.Column("load_id", sa.BigInteger, nullable=False, server_default="0", comment=comment)


def _alter_table(load_id: "sa.Column[int]") -> None:
    # In one statement, so that it happens as a whole or not at all.
    op.execute(
        "ALTER TABLE player_predictions"
        f" ADD COLUMN load_id BIGINT NOT NULL DEFAULT 0 COMMENT '{load_id.comment}',"
        " DROP PRIMARY KEY, ADD PRIMARY KEY (as_of, load_id, user_id),"
        f" RENAME TO {_LOADS}"
    )


def _rename_and_alter_table(load_id: "sa.Column[int]") -> None:
    op.rename_table("player_predictions", _LOADS)
    op.add_column(_LOADS, load_id)
    op.drop_constraint("player_predictions_pkey", _LOADS)
    op.create_primary_key(f"{_LOADS}_pkey", _LOADS, ["as_of", "load_id", "user_id"])


def _copy_rows(load_id: "sa.Column[int]") -> None:
    # SQLite cannot change a primary key.
    connection = op.get_bind()
    old = sa.Table("player_predictions", sa.MetaData(), autoload_with=connection)
    columns = [sa.Column(one.name, one.type, nullable=one.nullable) for one in old.columns]
    op.create_table(
        _LOADS,
        *columns,
        load_id,
        sa.PrimaryKeyConstraint("as_of", "load_id", "user_id"),
        sqlite_with_rowid=False,
    )
    listed = ", ".join(_COLUMNS)
    op.execute(f"INSERT INTO {_LOADS} ({listed}) SELECT {listed} FROM player_predictions")
    op.drop_table("player_predictions")
