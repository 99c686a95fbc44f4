"""What each day adds to cohorts of users, and views of their curves and payback."""

from functools import partial

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views
from ds_assets.infra.results.schema import KeyText

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_needed = partial(sa.Column, nullable=False)
_DAYS = {
    "sqlite": "CAST(julianday(d.newest) - julianday(t.cohort) AS INTEGER)",
    "mysql": "datediff(d.newest, t.cohort)",
    "postgresql": "(d.newest - t.cohort)",
}
"""Days from the first day of a cohort to the newest stored day, by backend."""
_COHORT = "PARTITION BY s.installation_id, s.cohort, s.value"
_CURVES = f"""
SELECT t.cohort, t.value, t.age_days, CAST(t.users AS {{integer}}) AS users,
    t.active_users * 1e0 / t.users AS retention, t.payers * 1e0 / t.users AS payer_share,
    t.spend * 1e0 / t.users AS spend_per_user, t.cost_per_user,
    {{days}} - 6 AS observed_days, t.installation_id
FROM (
    SELECT s.installation_id, s.cohort, s.value, s.age_days, s.active_users,
        sum(s.users) OVER ({_COHORT}) AS users,
        sum(s.payers) OVER ({_COHORT} ORDER BY s.age_days) AS payers,
        sum(s.spend) OVER ({_COHORT} ORDER BY s.age_days) AS spend,
        sum(s.cost) OVER ({_COHORT}) * 1e0
            / nullif(sum(s.users_with_cost) OVER ({_COHORT}), 0) AS cost_per_user
    FROM (
        SELECT c.installation_id, c.cohort, c.value, c.age_days, sum(c.users) AS users,
            sum(c.active_users) AS active_users, sum(c.payers) AS payers, sum(c.spend) AS spend,
            sum(c.users * c.cost_per_user) AS cost,
            sum(CASE WHEN c.cost_per_user IS NOT NULL THEN c.users END) AS users_with_cost
        FROM cohorts AS c GROUP BY c.installation_id, c.cohort, c.value, c.age_days
    ) AS s
) AS t JOIN (
    SELECT installation_id, min(as_of) AS oldest, max(as_of) AS newest
    FROM cohorts GROUP BY installation_id
) AS d ON d.installation_id = t.installation_id
WHERE t.users > 0 AND t.cohort >= d.oldest AND t.age_days <= {{days}} - 6"""
_CURVE = "PARTITION BY c.installation_id, c.cohort, c.value"
_PAYBACK = f"""
SELECT a.cohort, a.value, a.users, a.observed_days, a.spend_per_user, a.cost_per_user,
    a.spend_per_user * 1e0 / a.cost_per_user AS paid_back_share, a.payback_days, a.installation_id
FROM (
    SELECT c.cohort, c.value, c.users, c.observed_days, c.spend_per_user, c.cost_per_user,
        c.installation_id,
        min(CASE WHEN c.spend_per_user >= c.cost_per_user THEN c.age_days END)
            OVER ({_CURVE}) AS payback_days,
        row_number() OVER ({_CURVE} ORDER BY c.age_days DESC) AS position
    FROM cohort_curves AS c
) AS a WHERE a.position = 1"""


def upgrade() -> None:
    """Make the table and its views."""
    op.create_table(
        "cohorts",
        _needed("as_of", sa.Date, comment="Day on which the changes became known."),
        _needed(
            "cohort",
            sa.Date,
            comment="First day of the week of the users' first active day; the first day of the "
            "game in its first week.",
        ),
        _needed(
            "value",
            KeyText,
            comment="Value of the attribute in cohorts.by of game.yaml, all without one, unknown, "
            "or other beyond the largest.",
        ),
        _needed("age_days", sa.BigInteger, comment="Days since each user's own first active day."),
        _needed(
            "users", sa.BigInteger, comment="Users that joined the cohort, less those that left it."
        ),
        _needed("active_users", sa.BigInteger, comment="Users that were active at the age."),
        _needed("payers", sa.BigInteger, comment="Users whose first purchase was at the age."),
        _needed("purchases", sa.BigInteger, comment="Purchases at the age."),
        _needed("spend", sa.Double, comment="Spend at the age."),
        sa.Column(
            "cost_per_user",
            sa.Double,
            comment="What a new user cost as of the day; none where game.yaml has no cost.",
        ),
        _needed(
            "installation_id",
            sa.Integer,
            server_default="1",
            comment="The installation, see installations.",
        ),
        sa.PrimaryKeyConstraint("installation_id", "as_of", "cohort", "value", "age_days"),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )
    dialect = op.get_context().dialect.name
    integer = "SIGNED" if dialect == "mysql" else "BIGINT"
    curves = _CURVES.format(days=_DAYS[dialect], integer=integer)
    replace_views({"cohort_curves": curves, "cohort_payback": _PAYBACK})
