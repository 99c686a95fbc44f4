"""What promotions changed."""

from functools import partial

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.schema import KeyText

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_needed = partial(sa.Column, nullable=False)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "promotion_results",
        *_key(),
        *_values(),
        _needed(
            "installation_id",
            sa.Integer,
            server_default="1",
            comment="The installation, see installations.",
        ),
        sa.PrimaryKeyConstraint(
            "installation_id",
            *("as_of", "promotion", "version", "analysis", "segment", "outcome", "arm"),
        ),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )


def _key() -> "list[sa.Column[object]]":
    return [
        _needed("as_of", sa.Date, comment="Last day of assignments whose outcomes are known."),
        _needed(
            "promotion",
            KeyText(48),
            comment="Name of the promotion; all for all of them together against the holdout.",
        ),
        _needed("version", KeyText(64), comment="Version of the promotion."),
        _needed(
            "analysis",
            KeyText(16),
            comment="Users that the effect is on: assigned, or shown for those who saw the offer.",
        ),
        _needed(
            "segment",
            KeyText,
            comment="Users that are compared: all, or a group such as cluster=3.",
        ),
        _needed(
            "outcome",
            KeyText(48),
            comment="What is compared: churn, payment, a target, spend, cost or profit of each "
            "user.",
        ),
        _needed("arm", KeyText(16), comment="What is compared with control: treated or as_before."),
    ]


def _values() -> "list[sa.Column[object]]":
    return [
        _needed("users_treated", sa.BigInteger, comment="Users in the arm, each counted once."),
        _needed("users_control", sa.BigInteger, comment="Users in control, each counted once."),
        sa.Column("value_treated", sa.Double, comment="Mean of the arm, as observed."),
        sa.Column("value_control", sa.Double, comment="Mean of control, as observed."),
        sa.Column(
            "effect",
            sa.Double,
            comment="Difference of the means, less what predictions explain of it; none without a "
            "result.",
        ),
        sa.Column(
            "low",
            sa.Double,
            comment="Lower end of its 95 % interval; wider where several segments are looked at.",
        ),
        sa.Column("high", sa.Double, comment="Upper end of its interval."),
        sa.Column(
            "p_value",
            sa.Double,
            comment="Chance of a difference as large if there is none, corrected for several "
            "segments; where a result is withheld, of sizes of arms as unlikely as these.",
        ),
        _needed(
            "state", sa.Text, comment="Whether there is a result: result, not_yet or withheld."
        ),
        _needed("words", sa.Text, comment="What came out, or what is missing, in one sentence."),
        _needed("wave", sa.BigInteger, comment="Which wave of users it is about, from 1."),
        _needed("assigned_from", sa.Date, comment="Day of the wave's first assignments."),
        _needed("assigned_until", sa.Date, comment="Day of its latest ones."),
    ]
