"""Promotions that do harm, and those whose arms do not fit.

Scope: the rule of the check on results.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ds_assets.core.finding import Finding
from ds_assets.core.promotions.results import headlines_of
from ds_assets.core.promotions.terms import SPEND
from ds_assets.core.promotions.words import Outcome
from ds_assets.core.targets import CHURN

_ADVICE = "pause what harms with `ds-assets pause NAME`; find out why arms do not fit"


def check_results(
    rows: pd.DataFrame, targets: Mapping[str, str], outcomes: Mapping[str, Outcome]
) -> Finding:
    """Find promotions that change their target or spend for the worse, beyond noise.

    The other outcomes are left out: looking at all of them would warn of noise too often.

    Args:
        rows: Columns of `PROMOTION_RESULTS` of a day.
        targets: Target of each promotion of the game.
        outcomes: How each outcome is said, and whether more of it is better.
    """
    headlines = headlines_of(rows)
    listed = [{str(name): it for name, it in row.items()} for row in headlines.to_dict("records")]
    problems = list(_find_problems(listed, targets, outcomes))
    if problems:
        return Finding("; ".join(problems), _ADVICE)
    return Finding(f"{headlines['promotion'].nunique()} promotions, none of them harmful")


def _find_problems(
    rows: list[dict[str, Any]], targets: Mapping[str, str], outcomes: Mapping[str, Outcome]
) -> Iterator[str]:
    for row in rows:
        about = f"{row['promotion']} ({row['arm']})"
        has_misfit = row["state"] == "withheld" and pd.notna(row["p_value"])
        is_looked_at = row["outcome"] in {targets.get(row["promotion"], CHURN), SPEND}
        if has_misfit or (is_looked_at and _is_harmful(row, outcomes)):
            yield f"{about}: {row['words']}"


def _is_harmful(row: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> bool:
    outcome = outcomes.get(row["outcome"])
    if outcome is None or row["state"] != "result" or pd.isna(row["p_value"]):
        return False
    is_finding = row["low"] > 0 or row["high"] < 0
    return bool(is_finding and row["effect"] * outcome.better < 0)
