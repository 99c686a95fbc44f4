"""Total spend beside the predicted total, with a verdict."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLE = "prediction_outcomes"
_MEANINGS = {
    "spend_ratio": "Total spend divided by the predicted total; none where it was not measured.",
    "spend_ratio_low": "Lower end of the 95 % bootstrap interval over users of spend_ratio.",
    "spend_ratio_high": "Upper end of the 95 % bootstrap interval over users of spend_ratio.",
    "spend_verdict": "Whether total spend is within noise: as_predicted, more_than_predicted, "
    "less_than_predicted or too_few_users; none where none was predicted.",
}


def upgrade() -> None:
    """Add the columns, which are empty for outcomes that are stored."""
    stored = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(_TABLE)}
    for name, meaning in _MEANINGS.items():
        if name not in stored:
            kind = sa.Text if name == "spend_verdict" else sa.Double
            op.add_column(_TABLE, sa.Column(name, kind, comment=meaning))
