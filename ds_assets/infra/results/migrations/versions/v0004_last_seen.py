"""The day on which each user was last active."""

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LOADS = "player_prediction_loads"
_COLUMNS = (
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
    """Add the column, and have the views show it."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_LOADS)}
    if "last_seen" not in there:
        meaning = "Day on which the user was last active."
        op.add_column(_LOADS, sa.Column("last_seen", sa.Date, comment=meaning))
    replace_views(_VIEWS)
