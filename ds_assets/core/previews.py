"""Rows of the predictions for people: a few of them, and the paying users most at risk.

Scope: which rows and columns are shown, and their texts.
"""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ds_assets.core.canvas import format_number
from ds_assets.core.encoding import USER_ID
from ds_assets.core.targets import BUILT_IN, Target

LAST_PURCHASE = "days_since_purchase"
"""The feature by which users count as paying."""
(LEAVING,) = (target for target in BUILT_IN if target.days_left_column is not None)
"""The target whose probability is the risk."""


def find_payers_at_risk(
    predictions: pd.DataFrame, features: pd.DataFrame, days: int
) -> pd.DataFrame:
    """Rows of users who paid recently, the likeliest to leave first, without those of no chance.

    Args:
        predictions: Columns of `PREDICTIONS`, at least the user's id and the risk.
        features: The columns `user_id` and `LAST_PURCHASE` of the same day.
        days: A purchase is recent if it was fewer days ago.
    """
    payers = features[USER_ID][features[LAST_PURCHASE] < days]
    risk = LEAVING.probability_column
    rows = predictions[predictions[USER_ID].isin(payers) & predictions[risk].notna()]
    return rows.sort_values([risk, USER_ID], ascending=[False, True])


def show_rows(predictions: pd.DataFrame) -> list[dict[str, str]]:
    """Rows of `PREDICTIONS` as texts by column heading; what is missing is empty.

    No more columns than fit beside each other in the UI; the last says why the user will leave.
    """
    return [_show(row) for row in predictions.to_dict("records")]


def _show(row: Mapping[Any, Any]) -> dict[str, str]:
    shown = {"user": str(row[USER_ID])}
    for target in BUILT_IN:
        shown |= _show_target(target, row)
    name = row["cluster_name"]
    shown["cluster"] = "" if pd.isna(name) else str(name)
    return shown | {"why": _reason(row[LEAVING.reasons_column])}


def _show_target(target: Target, row: Mapping[Any, Any]) -> dict[str, str]:
    chance, name = row[target.probability_column], target.amount_column
    shown = {target.wording.heading: "" if pd.isna(chance) else f"{chance:.0%}"}
    if name is None:
        return shown
    amount = row[name]
    return shown | {name.replace("_", " "): "" if pd.isna(amount) else format_number(amount)}


def _reason(reasons: str | None) -> str:
    """The strongest reason in words."""
    listed = json.loads(reasons) if isinstance(reasons, str) else []
    return str(listed[0]["words"]) if listed else ""
