"""What predictions rest on, what is missing for them, and tables of reports."""

from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import op

from ds_assets.infra.results.migrations.operations import replace_views
from ds_assets.infra.results.schema import KeyText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LOADS = "player_prediction_loads"
_COLUMNS = (
    "user_id",
    "as_of",
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
_needed = partial(sa.Column, nullable=False)


def upgrade() -> None:
    """Add the columns, have the views show them, and make the tables."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_LOADS)}
    for column in _prediction_columns():
        if column.name not in there:
            op.add_column(_LOADS, column)  # as the last: so MySQL need not copy the rows
    replace_views(_VIEWS)
    _create_report("cluster_profiles", _cluster_profiles(), ("as_of", "cluster"))
    key = ("as_of", "target", "contender", "segment", "snapshot", "measure")
    _create_report("model_metrics", _model_metrics(), key)
    _create_report("prediction_outcomes", _prediction_outcomes(), ("as_of", "target", "segment"))
    op.create_table(
        "report_locks",
        _needed("name", KeyText, primary_key=True, comment="The table of reports."),
        comment="Who writes a table of reports holds its row here meanwhile.",
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )


def _create_report(name: str, columns: "list[sa.Column[Any]]", key: tuple[str, ...]) -> None:
    op.create_table(
        name,
        *columns,
        sa.PrimaryKeyConstraint(*key),
        sqlite_with_rowid=False,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,
    )


def _prediction_columns() -> "list[sa.Column[Any]]":
    return [
        sa.Column(
            "expected_spend",
            sa.Double,
            comment="Spend to expect in the payment horizon; none where data is not enough.",
        ),
        sa.Column("user_group", sa.Text, comment="Group of the user, for which models are made."),
        sa.Column(
            "churn_reasons",
            sa.Text,
            comment="The three strongest reasons of the chance of leaving, as JSON.",
        ),
        sa.Column(
            "payment_reasons",
            sa.Text,
            comment="The three strongest reasons of the chance of a purchase, as JSON.",
        ),
        sa.Column(
            "churn_missing",
            sa.Text,
            comment="What data is missing for a churn prediction, and when it will be enough; "
            "none where there is one.",
        ),
        sa.Column(
            "payment_missing",
            sa.Text,
            comment="What data is missing for a payment prediction, and when it will be enough; "
            "none where there is one.",
        ),
    ]


def _cluster_profiles() -> "list[sa.Column[Any]]":
    return [
        _needed("as_of", sa.Date, comment="Day at whose end the users were clustered."),
        _needed(
            "cluster", sa.BigInteger, comment="Id of the cluster; it stays the same over days."
        ),
        _needed("cluster_name", sa.Text, comment="What sets the cluster apart."),
        _needed("users", sa.BigInteger, comment="Users in it."),
        _needed("share", sa.Double, comment="Share of the day's users that are in it."),
        sa.Column(
            "stayed",
            sa.BigInteger,
            comment="Users who were in it a week before, too; none without clusters then.",
        ),
        sa.Column(
            "came",
            sa.BigInteger,
            comment="Users who were elsewhere a week before; none without clusters then.",
        ),
        sa.Column(
            "went",
            sa.BigInteger,
            comment="Users of a week before who are elsewhere now; none without clusters then.",
        ),
        sa.Column(
            "churn_probability",
            sa.Double,
            comment="Mean chance of no activity in the churn horizon; "
            "none where data is not enough.",
        ),
        sa.Column(
            "payment_probability",
            sa.Double,
            comment="Mean chance of a purchase in the payment horizon; "
            "none where data is not enough.",
        ),
        sa.Column(
            "expected_spend",
            sa.Double,
            comment="Mean of the spend that is expected of a user; none where it is not predicted.",
        ),
        _needed(
            "active_days",
            sa.Double,
            comment="Mean active days in the shortest window of four weeks or more, else "
            "in the longest.",
        ),
        _needed("payers", sa.Double, comment="Share of its users with a purchase in that window."),
        _needed("spend", sa.Double, comment="Mean spend in that window."),
        _needed(
            "typical_values",
            sa.Text,
            comment="Medians as JSON: feature, then the cluster's and that of all users.",
        ),
    ]


def _model_metrics() -> "list[sa.Column[Any]]":
    return [
        _needed("as_of", sa.Date, comment="Day at whose end the model was made."),
        _needed("target", KeyText, comment="What the model predicts: churn or payment."),
        _needed(
            "contender",
            KeyText,
            comment="What was judged: delivered, global, champion, challenger, "
            "logistic_regression or recency.",
        ),
        _needed(
            "segment",
            KeyText,
            comment="Whom it was judged on: all, first_week, or a group as cluster=3.",
        ),
        _needed("snapshot", sa.Date, comment="Snapshot that it was judged by."),
        _needed("measure", KeyText, comment="What was measured, as auc, pr_auc or brier."),
        _needed("users", sa.BigInteger, comment="Users of the segment in that snapshot."),
        _needed("positives", sa.BigInteger, comment="Those of them to whom it happened."),
        _needed("value", sa.Double, comment="What was found."),
        sa.Column(
            "low",
            sa.Double,
            comment="Lower end of its 95 % bootstrap interval over users; "
            "none where there is no interval.",
        ),
        sa.Column(
            "high",
            sa.Double,
            comment="Upper end of its 95 % bootstrap interval over users; "
            "none where there is no interval.",
        ),
    ]


def _prediction_outcomes() -> "list[sa.Column[Any]]":
    return [
        _needed("as_of", sa.Date, comment="Day of the predictions."),
        _needed("target", KeyText, comment="What was predicted: churn or payment."),
        _needed(
            "segment",
            KeyText,
            comment="Whom they were about: all, or a group as cluster=3.",
        ),
        _needed(
            "users", sa.BigInteger, comment="Users with a prediction whose horizon has passed."
        ),
        _needed("predicted", sa.Double, comment="Mean probability that was delivered."),
        _needed("happened", sa.Double, comment="Share to whom it happened."),
        sa.Column(
            "predicted_spend",
            sa.Double,
            comment="Mean spend that was delivered; none where none was predicted.",
        ),
        sa.Column(
            "spend", sa.Double, comment="Mean spend in the horizon; none where none was predicted."
        ),
        sa.Column(
            "auc",
            sa.Double,
            comment="Area under the ROC curve of what was delivered; "
            "none where all had the same outcome.",
        ),
        sa.Column(
            "auc_low",
            sa.Double,
            comment="Lower end of the 95 % bootstrap interval over users of auc.",
        ),
        sa.Column(
            "auc_high",
            sa.Double,
            comment="Upper end of the 95 % bootstrap interval over users of auc.",
        ),
        sa.Column(
            "brier",
            sa.Double,
            comment="Mean squared difference of probability and outcome; "
            "none where it was not measured.",
        ),
        sa.Column(
            "log_loss",
            sa.Double,
            comment="Mean negative logarithm of the probability of what happened; "
            "none where it was not measured.",
        ),
        sa.Column(
            "ece",
            sa.Double,
            comment="Expected calibration error, from 0 to 1; none where it was not measured.",
        ),
        sa.Column(
            "promised_auc_low",
            sa.Double,
            comment="Lower end of the auc that the model card promised.",
        ),
        sa.Column(
            "promised_auc_high",
            sa.Double,
            comment="Upper end of the auc that the model card promised.",
        ),
        sa.Column(
            "promised_happened_low",
            sa.Double,
            comment="Lower end of the share that the predictions promised.",
        ),
        sa.Column(
            "promised_happened_high",
            sa.Double,
            comment="Upper end of the share that the predictions promised.",
        ),
        sa.Column(
            "drift", sa.Double, comment="Largest PSI of a feature against the training snapshots."
        ),
        _needed(
            "verdict",
            sa.Text,
            comment="How it went: as_promised, outside, useless or too_few_users.",
        ),
    ]
