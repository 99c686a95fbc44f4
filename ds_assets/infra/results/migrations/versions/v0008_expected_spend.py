"""Expected spend of a game's horizons, with its interval, beside the predictions of targets."""

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_LOADS = "target_prediction_loads"
_MEANINGS = {
    "expected_spend": "Spend to expect in the horizon; none where it is not predicted.",
    "expected_spend_low": "Lower end of the interval that contains a user's spend with a "
    "probability of 80 %.",
    "expected_spend_high": "Upper end of that interval.",
}
_COLUMNS = ("as_of", "user_id", "target", "probability", "reasons", "missing", "model", *_MEANINGS)
_LISTED = ", ".join([*(f"p.{name}" for name in _COLUMNS), "d.installation_id"])
_DELIVERED = (
    f"SELECT {_LISTED} FROM deliveries AS d JOIN {_LOADS} AS p"
    " ON p.as_of = d.as_of AND p.load_id = d.load_id"
)
_NEWEST = "SELECT max(n.as_of) FROM deliveries AS n WHERE n.installation_id = d.installation_id"


def upgrade() -> None:
    """Add the columns, which are empty for predictions that are stored, and show them."""
    stored = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_LOADS)}
    for name, meaning in _MEANINGS.items():
        if name not in stored:
            op.add_column(_LOADS, sa.Column(name, sa.Double, comment=meaning))
    replace_views(
        {
            "target_predictions": _DELIVERED,
            "target_predictions_current": f"{_DELIVERED} WHERE d.as_of = ({_NEWEST})",
        }
    )
