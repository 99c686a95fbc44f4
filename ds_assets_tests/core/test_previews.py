from typing import Any

import pandas as pd
import pytest

from ds_assets.core.previews import find_payers_at_risk, show_rows
from ds_assets.core.tables import PREDICTIONS

WHY = '[{"code":"last_seen","effect":0.8,"values":[6],"words":"last seen 6 days ago"}]'


def predictions(**columns: list[Any]) -> pd.DataFrame:
    """Rows of these users and columns; the others are missing."""
    users = len(next(iter(columns.values())))
    given = {"user_id": [f"u{number}" for number in range(users)], **columns}
    return pd.DataFrame({name: given.get(name, [None] * users) for name in PREDICTIONS.names})


def features(*days: float | None) -> pd.DataFrame:
    users = [f"u{number}" for number in range(len(days))]
    return pd.DataFrame({"user_id": users, "days_since_purchase": [*days]}, dtype=object).astype(
        {"days_since_purchase": "float64"}
    )


def test_recent_payers_come_in_the_order_of_their_risk_and_ties_in_that_of_ids() -> None:
    rows = predictions(churn_probability=[0.2, 0.9, 0.5, 0.5, 0.99, None])
    at_risk = find_payers_at_risk(rows, features(0, 28, 3, 5, None, 1), 28)
    assert at_risk["user_id"].tolist() == ["u2", "u3", "u0"]


def test_a_row_is_shown_in_words() -> None:
    rows = predictions(
        churn_probability=[0.7949],
        payment_probability=[0.14],
        expected_spend=[3.456],
        cluster_name=["new"],
        churn_reasons=[WHY],
    )
    assert show_rows(rows) == [
        {
            "user": "u0",
            "will leave": "79%",
            "will pay": "14%",
            "expected spend": "3.5",
            "cluster": "new",
            "why": "last seen 6 days ago",
        }
    ]


@pytest.mark.parametrize("nothing", [None, float("nan"), pd.NA])
def test_what_is_missing_is_empty(nothing: Any) -> None:
    (row,) = show_rows(predictions(churn_probability=[nothing]).assign(cluster_name=nothing))
    assert {name: text for name, text in row.items() if text} == {"user": "u0"}
