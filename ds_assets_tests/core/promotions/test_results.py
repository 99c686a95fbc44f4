import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from ds_assets.core.contracts import conform
from ds_assets.core.promotions.assignment import CONTROL, TREATED
from ds_assets.core.promotions.decisions import Withdrawal
from ds_assets.core.promotions.effects import Moments, moments_of
from ds_assets.core.promotions.moments import Cell
from ds_assets.core.promotions.results import Version, results_of
from ds_assets.core.promotions.waves import Day, Terms, progress_on
from ds_assets.core.promotions.words import Outcome
from ds_assets.core.tables import PROMOTION_RESULTS
from ds_assets_tests.core.promotions.days import TERMS, arms_of, date, day_of, share

OUTCOMES = {
    "churn": Outcome("churn", "points", -1),
    "spend": Outcome("spend", "USD"),
    "cost": Outcome("cost", "USD", -1),
}


def results(days: Iterable[Day], as_of: int = 20, *withdrawals: Withdrawal) -> pd.DataFrame:
    listed = list(days)
    progress = progress_on(listed, date(as_of), is_current=True)
    versions = [Version("bundle", "v1", progress)]
    rows = results_of(versions, OUTCOMES, date(as_of), withdrawals)
    conform(PROMOTION_RESULTS, rows)
    return rows


def row_of(rows: pd.DataFrame, **chosen: str) -> dict[str, Any]:
    wanted = {"analysis": "assigned", "segment": "all", "outcome": "churn", "arm": "treated"}
    for name, value in (wanted | chosen).items():
        rows = rows[rows[name] == value]
    (row,) = rows.to_dict("records")
    return {str(name): value for name, value in row.items()}


def amounts(treated: float, control: float, outcome: str = "spend") -> dict[Cell, Moments]:
    variance = 0.0 if outcome == "cost" else 4.0
    return {
        Cell("all", TREATED, outcome): moments_of(100, treated, variance),
        Cell("all", CONTROL, outcome): moments_of(100, control, variance),
    }


def full(
    treated: tuple[int, int] = (100, 20),
    terms: Terms = TERMS,
    more: Mapping[Cell, Moments] | None = None,
) -> list[Day]:
    return [day_of(number, treated, terms=terms, more=more) for number in range(5)]


def test_before_the_sample_is_there_one_row_says_what_is_missing() -> None:
    rows = results([day_of(0), day_of(1)], as_of=1)
    row = row_of(rows)
    assert len(rows) == 1
    assert row["state"] == "not_yet"
    assert row["words"] == "not yet: 389 more players or 2 more days for a change of 10 points"
    assert rows[["effect", "low", "high", "p_value", "value_treated"]].isna().all(axis=None)
    assert (row["users_treated"], row["users_control"]) == (200, 200)


def test_a_result_has_the_effect_with_its_interval_and_in_words() -> None:
    row = row_of(results(full(), as_of=4))
    assert row["state"] == "result"
    assert row["effect"] == pytest.approx(-0.3)
    assert row["low"] < -0.3 < row["high"] < 0
    assert row["words"].startswith("less churn, which is better: -30.0 points (")
    assert "a further wave is to confirm it" in row["words"]
    assert (row["assigned_from"], row["assigned_until"]) == (date(0), date(3))


def test_a_difference_within_noise_is_called_that() -> None:
    row = row_of(results(full((100, 50)), as_of=4))
    assert row["words"].startswith("no change of churn beyond noise: +0.0 points (")


def test_a_promotion_that_drives_users_away_is_said_to_be_worse() -> None:
    assert "more churn, which is worse" in row_of(results(full((100, 80))))["words"]


def test_amounts_are_compared_with_the_costs_that_made_them() -> None:
    more = amounts(3.0, 2.0) | amounts(0.5, 0.0, "cost")
    rows = results(full(more=more))
    spend, cost = (row_of(rows, outcome=name) for name in ("spend", "cost"))
    assert spend["effect"] == pytest.approx(1.0)
    assert "USD per player, +50%" in spend["words"]
    assert (cost["effect"], cost["low"], cost["high"]) == (0.5, 0.5, 0.5)
    assert pd.isna(cost["p_value"])


def test_segments_are_corrected_and_small_ones_withheld() -> None:
    more = arms_of((50, 10), (50, 25), "cluster=1") | arms_of((5, 1), (5, 4), "country=KR")
    rows = results(full(more=more))
    cluster, country = (row_of(rows, segment=it) for it in ("cluster=1", "country=KR"))
    assert cluster["state"] == "result"
    assert cluster["users_treated"] == 200
    assert country["state"] == "withheld"
    assert "20 players with it and 20 without; at least 50 of each are needed" in country["words"]
    assert pd.isna(country["effect"])


def test_an_outcome_that_all_users_of_an_arm_share_is_withheld() -> None:
    more = arms_of((50, 0), (50, 25), "cluster=1")
    assert row_of(results(full(more=more)), segment="cluster=1")["state"] == "withheld"


def test_arms_that_do_not_fit_have_one_row_and_no_number() -> None:
    rows = results(full((150, 20)))
    row = row_of(rows)
    assert len(rows) == 1
    assert row["state"] == "withheld"
    assert "do not fit the planned 50.0% and 50.0% (p = " in row["words"]
    assert row["p_value"] < 0.001
    assert pd.isna(row["effect"])


def test_what_the_studio_did_before_is_compared_with_control_too() -> None:
    terms = replace(TERMS, shares={TREATED: 0.4, CONTROL: 0.4, "as_before": 0.2})
    more = {Cell("all", "as_before", "churn"): share(50, 20)}
    row = row_of(results(full(terms=terms, more=more)), arm="as_before")
    assert row["effect"] == pytest.approx(-0.1)
    too_many = {Cell("all", "as_before", "churn"): share(100, 40)}
    rows = results(full(terms=terms, more=too_many))
    assert row_of(rows, arm="as_before")["state"] == "withheld"
    assert row_of(rows)["state"] == "result"


def test_the_effect_on_those_who_saw_the_offer_is_kept_apart() -> None:
    rows = results(full(more=arms_of((100, 50), (100, 0), outcome="shown")))
    assigned, shown = row_of(rows), row_of(rows, analysis="shown")
    assert shown["effect"] == pytest.approx(2 * assigned["effect"])
    assert shown["low"] == pytest.approx(2 * assigned["low"])
    assert shown["p_value"] == assigned["p_value"]
    assert shown["users_treated"] == 200
    assert pd.isna(shown["value_treated"])
    assert "of those who saw it (50% of those with it)" in shown["words"]


def test_an_offer_that_hardly_anybody_saw_has_no_such_row() -> None:
    rows = results(full(more=arms_of((100, 3), (100, 0), outcome="shown")))
    assert {*rows["analysis"]} == {"assigned"}


def test_a_confirmed_result_says_so() -> None:
    days = [day_of(number, (100, 20)) for number in range(9)]
    assert "of the second wave of players" in row_of(results(days))["words"]


def test_a_result_of_users_whose_offers_were_withdrawn_says_so_and_is_the_same_number() -> None:
    days = full(more=arms_of((50, 10), (50, 25), "cluster=1"))
    at = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
    early, late = (
        Withdrawal("bundle", date(3), date(4), at),
        Withdrawal("bundle", date(5), dt.date.max, at),
    )
    rows, plain = results(days, 20, early, late), results(days)
    text = "; withdrawn on 2026-01-05, players count as assigned"
    assert row_of(rows)["words"] == row_of(plain)["words"] + text
    assert row_of(rows, segment="cluster=1") == row_of(plain, segment="cluster=1")
    assert row_of(rows)["effect"] == row_of(plain)["effect"]
    other = early._replace(promotion="other")
    assert row_of(results(days, 20, late, other)) == row_of(plain)
    waiting = results([day_of(0)], 0, early._replace(first=date(0)))
    assert row_of(waiting)["words"].endswith(text)


def test_without_versions_there_are_no_rows() -> None:
    assert list(results_of([], OUTCOMES, date(0))) == PROMOTION_RESULTS.names
