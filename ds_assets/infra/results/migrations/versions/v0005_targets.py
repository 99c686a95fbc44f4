"""Predictions of a game's own targets, and their means by cluster."""

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views
from ds_assets.infra.results.schema import KeyText

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LOADS, _PROFILES = "target_prediction_loads", "cluster_profiles"
_COLUMNS = ("as_of", "user_id", "target", "probability", "reasons", "missing", "model")
_LISTED = ", ".join(f"p.{name}" for name in _COLUMNS)
_DELIVERED = (
    f"SELECT {_LISTED} FROM deliveries AS d JOIN {_LOADS} AS p"
    " ON p.as_of = d.as_of AND p.load_id = d.load_id"
)
_VIEWS = {
    "target_predictions": _DELIVERED,
    "target_predictions_current": (
        f"{_DELIVERED} WHERE d.as_of = (SELECT max(n.as_of) FROM deliveries AS n)"
    ),
}


def upgrade() -> None:
    """Make the table and its views, and add the column of the profiles."""
    op.create_table(
        _LOADS,
        sa.Column(
            "as_of", sa.Date, nullable=False, comment="Day at whose end the prediction was made."
        ),
        sa.Column("user_id", KeyText, nullable=False, comment="The user."),
        sa.Column("target", KeyText, nullable=False, comment="Name of the target in game.yaml."),
        sa.Column(
            "probability",
            sa.Double,
            comment="Chance that the target is reached in its horizon; "
            "none where data is not enough.",
        ),
        sa.Column(
            "reasons", sa.Text, comment="The three strongest reasons of that chance, as JSON."
        ),
        sa.Column(
            "missing",
            sa.Text,
            comment="What data is missing for a prediction, and when it will be enough; "
            "none where there is one.",
        ),
        sa.Column("model", sa.Text, comment="Version of the target's model."),
        sa.Column(
            "load_id",
            sa.BigInteger,
            nullable=False,
            server_default="0",
            comment="The load that stored the row.",
        ),
        sa.PrimaryKeyConstraint("as_of", "load_id", "user_id", "target"),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )
    replace_views(_VIEWS)
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_PROFILES)}
    if "target_probabilities" not in columns:
        meaning = (
            "Mean probability of each of the game's own targets, as JSON; none without targets."
        )
        op.add_column(_PROFILES, sa.Column("target_probabilities", sa.Text, comment=meaning))
