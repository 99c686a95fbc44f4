"""Predictions and deliveries, a row of deliveries a day.

Tables that are there are taken as they are: before there were versions, they were made like this.
"""

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.schema import KeyText

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "player_predictions",
        *prediction_columns(),
        sa.PrimaryKeyConstraint("as_of", "user_id"),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )
    op.create_table(
        "deliveries",
        sa.Column("as_of", sa.Date, primary_key=True, comment="The day delivered."),
        sa.Column("run_id", sa.String(255), nullable=False, comment="Run that delivered it last."),
        sa.Column("row_count", sa.BigInteger, nullable=False, comment="Rows of the day."),
        sa.Column("checksum", sa.String(64), nullable=False, comment="SHA-256 of the day's rows."),
        sa.Column("delivered_at", sa.DateTime, nullable=False, comment="When, in UTC."),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )


def prediction_columns() -> list[sa.Column[object]]:
    """Columns of the predictions of this version."""
    unknown = "none where data is not enough."
    return [
        sa.Column("user_id", KeyText, nullable=False, comment="The user."),
        sa.Column(
            "as_of", sa.Date, nullable=False, comment="Day at whose end the prediction was made."
        ),
        sa.Column(
            "churn_probability",
            sa.Double,
            comment=f"Chance of no activity in the churn horizon; {unknown}",
        ),
        sa.Column(
            "payment_probability",
            sa.Double,
            comment=f"Chance of a purchase in the payment horizon; {unknown}",
        ),
        sa.Column("cluster", sa.BigInteger, comment="Id of the user's cluster."),
        sa.Column("cluster_name", sa.Text, comment="What sets the cluster apart."),
        sa.Column("churn_model", sa.Text, comment="Version of the churn model."),
        sa.Column("payment_model", sa.Text, comment="Version of the payment model."),
        sa.Column("cluster_model", sa.Text, comment="Version of the cluster model."),
    ]
