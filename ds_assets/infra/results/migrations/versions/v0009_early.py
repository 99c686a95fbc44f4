"""Intervals of the probabilities that early models predict."""

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views

revision = "0009"
down_revision = "0008"
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
    "churn_probability_low",
    "churn_probability_high",
    "payment_probability_low",
    "payment_probability_high",
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
_MEANINGS = {
    f"{target}_probability_{end}": f"{words} end of the 80 % interval of an early "
    f"{target}_probability; none from a trained model."
    for target in ("churn", "payment")
    for end, words in (("low", "Lower"), ("high", "Upper"))
}


def upgrade() -> None:
    """Add the columns, empty for stored predictions, and show them in the views."""
    stored = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_LOADS)}
    for name, meaning in _MEANINGS.items():
        if name not in stored:
            op.add_column(_LOADS, sa.Column(name, sa.Double, comment=meaning))
    replace_views(_VIEWS)
