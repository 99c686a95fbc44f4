"""The promotions that are in effect for users, beside their predictions."""

from functools import partial

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views
from ds_assets.infra.results.schema import KeyText

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_LOADS = "player_promotion_loads"
_needed = partial(sa.Column, nullable=False)
_KEYS = ("as_of", "user_id", "promotion")
_COLUMNS = (*_KEYS, "arm", "offer", "assignment_id", "assigned_on", "until")
_LISTED = ", ".join([*(f"p.{name}" for name in _COLUMNS), "d.installation_id"])
_DELIVERED = (
    f"SELECT {_LISTED} FROM deliveries AS d JOIN {_LOADS} AS p"
    " ON p.as_of = d.as_of AND p.load_id = d.load_id"
)
_NEWEST = "SELECT max(n.as_of) FROM deliveries AS n WHERE n.installation_id = d.installation_id"
_VIEWS = {
    "player_promotions": _DELIVERED,
    "player_promotions_current": f"{_DELIVERED} WHERE d.as_of = ({_NEWEST})",
}


def upgrade() -> None:
    """Make the table and its views."""
    op.create_table(
        _LOADS,
        _needed("as_of", sa.Date, comment="Day at whose end the assignment is in effect."),
        _needed("user_id", KeyText, comment="The user."),
        _needed("promotion", KeyText, comment="Name of the promotion in game.yaml."),
        _needed(
            "arm", sa.Text, comment="What the user gets: treated, control, as_before or holdout."
        ),
        sa.Column(
            "offer", sa.Text, comment="Name that a client shows; none for control and holdout."
        ),
        _needed(
            "assignment_id", sa.Text, comment="Id of the assignment, the same whenever it is made."
        ),
        _needed("assigned_on", sa.Date, comment="Day on which the user was assigned."),
        _needed("until", sa.Date, comment="Last day on which the assignment is in effect."),
        _needed(
            "load_id", sa.BigInteger, server_default="0", comment="The load that stored the row."
        ),
        sa.PrimaryKeyConstraint("as_of", "load_id", "user_id", "promotion"),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )
    replace_views(_VIEWS)
