"""Median days left of users, beside their probability of leaving."""

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_LOADS = "player_prediction_loads"
_MEANING = (
    "Median of the open days to the last active day before the user leaves; 0 if the chance of "
    "leaving is one half or more, none without a trained model, and where the median is further "
    "away than the history shows."
)
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
    "churn_probability_low",
    "churn_probability_high",
    "payment_probability_low",
    "payment_probability_high",
    "days_left",
)
_LISTED = ", ".join([*(f"p.{name}" for name in _COLUMNS), "d.installation_id"])
_DELIVERED = (
    f"SELECT {_LISTED} FROM deliveries AS d JOIN {_LOADS} AS p"
    " ON p.as_of = d.as_of AND p.load_id = d.load_id"
)
_NEWEST = "SELECT max(n.as_of) FROM deliveries AS n WHERE n.installation_id = d.installation_id"
_VIEWS = {
    "player_predictions": _DELIVERED,
    "player_predictions_current": f"{_DELIVERED} WHERE d.as_of = ({_NEWEST})",
}


def upgrade() -> None:
    """Add the column, empty for stored predictions, and show it in the views."""
    stored = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_LOADS)}
    if "days_left" not in stored:
        op.add_column(_LOADS, sa.Column("days_left", sa.BigInteger, comment=_MEANING))
    replace_views(_VIEWS)
