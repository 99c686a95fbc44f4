from typing import Any

import pandas as pd
import pytest

from ds_assets.core.promotions.harm import check_results
from ds_assets.core.promotions.words import Outcome

OUTCOMES = {
    "churn": Outcome("churn", "points", -1),
    "payment": Outcome("payment", "points"),
    "spend": Outcome("spend", "USD"),
    "profit": Outcome("profit", "USD"),
}
HARM: dict[str, Any] = {
    "promotion": "bundle",
    "analysis": "assigned",
    "segment": "all",
    "outcome": "churn",
    "arm": "treated",
    "state": "result",
    "effect": 0.02,
    "low": 0.01,
    "high": 0.03,
    "p_value": 0.001,
    "words": "more churn",
}


def check(**changes: Any) -> str:
    finding = check_results(pd.DataFrame([HARM | changes]), {"bundle": "churn"}, OUTCOMES)
    return "" if finding.is_good else str(finding)


def test_a_promotion_that_drives_users_away_is_named() -> None:
    assert check().startswith("bundle (treated): more churn; pause what harms with")


@pytest.mark.parametrize(
    "harmless",
    [
        {"low": -0.01},
        {"effect": -0.02, "low": -0.03, "high": -0.01},
        {"segment": "cluster=1"},
        {"analysis": "shown"},
        {"state": "not_yet", "effect": None, "low": None, "high": None, "p_value": None},
        {"state": "withheld", "effect": None, "low": None, "high": None, "p_value": None},
        {"outcome": "profit", "effect": -0.02, "low": -0.03, "high": -0.01},
        {"outcome": "payment", "effect": -0.02, "low": -0.03, "high": -0.01},
        {"outcome": "former"},
    ],
)
def test_no_other_row_warns(harmless: dict[str, Any]) -> None:
    assert not check(**harmless)


def test_less_spend_is_harm_whatever_the_target() -> None:
    assert check(outcome="spend", effect=-0.02, low=-0.03, high=-0.01)


def test_arms_that_do_not_fit_warn() -> None:
    missing = dict.fromkeys(("effect", "low", "high"))
    assert check(**missing, state="withheld", p_value=0.003)
