"""What promotions changed: users with them beside users that were kept without them."""

import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from ds_assets.assets import promotion_results
from ds_assets.assets.promotion_results import DayResults
from ds_assets.core.contracts import conform
from ds_assets.core.lineage import lineage_of
from ds_assets.core.promotions.assignment import version_of
from ds_assets.core.tables import (
    PROMOTION_OUTCOMES,
    PROMOTION_RESULTS,
    PROMOTION_SHOWN,
    PROMOTIONS,
)
from ds_assets.infra.labels import find_stored_due_outcomes
from ds_assets.infra.lake.provenance import Records, recorded
from ds_assets.infra.lake.tables import read_rows, store_rows
from ds_assets_tests.assets.assignments import (
    FIRST,
    SECOND,
    activity_within,
    assign,
    store,
    with_promotion,
)
from ds_assets_tests.assets.factories import Installation, day, finished
from ds_assets_tests.infra.results.databases import read_report

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    return with_promotion(finished().copy(tmp_path))


def judge(installation: Installation, *days: dt.date) -> dict[dt.date, DayResults]:
    return promotion_results.update(days, installation.lake, installation.engine, installation.game)


def row_of(rows: pd.DataFrame, **chosen: str) -> dict[str, Any]:
    wanted = {"promotion": "bundle", "segment": "all", "outcome": "churn", "arm": "treated"}
    wanted["analysis"] = "assigned"
    for name, value in (wanted | chosen).items():
        rows = rows[rows[name] == value]
    (row,) = rows.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_arms_are_compared_by_what_their_users_did_within_the_horizon(copy: Installation) -> None:
    users = assign(copy, FIRST)
    rows = judge(copy, FIRST)[FIRST].rows
    activity = activity_within(copy, FIRST, 5)
    came_back = activity[activity["activities"] > 0]["user_id"]
    churned = ~users["user_id"].isin(came_back)
    row = row_of(rows)
    for arm, value in (("treated", "value_treated"), ("control", "value_control")):
        assert row[value] == pytest.approx(churned[users["arm"] == arm].mean())
    assert row["users_treated"] == (users["arm"] == "treated").sum()
    assert row["state"] == "result", row["words"]
    spent = activity_within(copy, FIRST, 7).groupby("user_id")["spend"].sum()
    treated = users[users["arm"] == "treated"]["user_id"]
    spend = row_of(rows, outcome="spend")
    assert spend["value_treated"] == pytest.approx(spent.reindex(treated).fillna(0).mean())
    profit, cost = (row_of(rows, outcome=it) for it in ("profit", "cost"))
    assert cost["effect"] == 0.5
    assert profit["value_treated"] == pytest.approx(spend["value_treated"] - 0.5)


def test_all_promotions_together_are_compared_with_the_holdout(copy: Installation) -> None:
    users = assign(copy, FIRST)
    row = row_of(judge(copy, FIRST)[FIRST].rows, promotion="all")
    assert row["users_control"] == (users["arm"] == "holdout").sum()
    assert row["users_treated"] == (users["arm"] != "holdout").sum()


def test_a_day_without_assignments_has_no_outcomes(copy: Installation) -> None:
    store(copy, FIRST, pd.DataFrame(columns=PROMOTIONS.names))
    assert judge(copy, FIRST)[FIRST].rows.empty
    assert read_rows(PROMOTION_OUTCOMES, FIRST, copy.lake).num_rows == 0


def test_a_user_counts_once_from_the_first_assignment_on(copy: Installation) -> None:
    first = assign(copy, FIRST)
    later = assign(copy, SECOND)
    judge(copy, FIRST, SECOND)
    outcomes = read_rows(PROMOTION_OUTCOMES, SECOND, copy.lake).to_pandas()
    of_all = outcomes.query("promotion == 'bundle' and segment == 'all' and outcome == 'churn'")
    new = later[~later["user_id"].isin(first["user_id"]) & (later["arm"] != "holdout")]
    assert of_all["users"].sum() == len(new)


def test_costs_of_later_assignments_within_the_window_count(copy: Installation) -> None:
    assign(copy, FIRST)
    assign(copy, FIRST + dt.timedelta(days=6), cost=0.25)
    assign(copy, FIRST + dt.timedelta(days=7), cost=100.0)
    rows = judge(copy, FIRST)[FIRST].rows
    assert row_of(rows, outcome="cost")["value_treated"] > 0.5
    assert row_of(rows, outcome="cost")["value_treated"] <= 0.75


def test_the_effect_on_those_who_saw_the_offer_is_that_on_all_divided_by_their_share(
    copy: Installation,
) -> None:
    users = assign(copy, FIRST)
    treated = users[users["arm"] == "treated"]
    viewers = treated.iloc[: len(treated) // 2].assign(shown_on=SECOND)
    lineages = lineage_of(copy.game)
    for known_on, some in ((SECOND, viewers), (day(31), treated.assign(shown_on=day(31)))):
        with recorded("promotion_shown", [known_on], lineages, copy.lake, "run"):
            rows = some.assign(as_of=known_on)[PROMOTION_SHOWN.names]
            store_rows(conform(PROMOTION_SHOWN, rows), "promotion_shown", known_on, copy.lake)
    rows = judge(copy, FIRST)[FIRST].rows
    assigned, shown = (row_of(rows, analysis=it) for it in ("assigned", "shown"))
    share = len(viewers) / len(treated)
    assert shown["users_treated"] == len(viewers)
    assert shown["effect"] == pytest.approx(assigned["effect"] / share)


def test_the_order_of_runs_changes_nothing(copy: Installation) -> None:
    assign(copy, FIRST)
    assign(copy, SECOND)
    judge(copy, SECOND)
    judge(copy, FIRST)
    late = read_rows(PROMOTION_RESULTS, SECOND, copy.lake)
    judge(copy, FIRST, SECOND)
    assert read_rows(PROMOTION_RESULTS, SECOND, copy.lake).equals(late)


def test_before_the_sample_is_there_no_effect_is_stored(copy: Installation) -> None:
    demanding = with_promotion(copy, detects=0.01, until=str(day(30)))
    assign(demanding, FIRST)
    row = row_of(judge(demanding, FIRST)[FIRST].rows)
    assert row["state"] == "not_yet"
    assert np.isnan(row["effect"])
    assert row["words"].startswith("not yet: ")


def test_a_promotion_that_was_replaced_is_compared_with_what_it_had(copy: Installation) -> None:
    endless = with_promotion(copy, detects=0.05, until=str(day(30)))
    version = version_of(endless.game, "bundle")
    assign(endless, FIRST)
    assert {*judge(endless, FIRST)[FIRST].rows["state"]} == {"not_yet"}
    replaced = with_promotion(endless, who="churn_probability >= 0", until=str(day(30)))
    assign(replaced, SECOND)
    rows = judge(replaced, SECOND)[SECOND].rows
    assert "result" in set(rows[rows["version"] == version]["state"])


def test_a_version_that_ended_before_its_outcomes_were_known_is_named(copy: Installation) -> None:
    users = assign(copy, FIRST)
    replaced = with_promotion(copy, control=0.4)
    results = judge(replaced, FIRST)[FIRST]
    assert users["version"].iloc[0] in results.missing["bundle"]
    assert "bundle" not in set(results.rows["promotion"])


def test_outcomes_are_due_once_the_longest_horizon_is_over(copy: Installation) -> None:
    for of in (FIRST, day(24), day(25)):
        assign(copy, of)
    records = Records(lineage_of(copy.game), copy.lake)
    due = find_stored_due_outcomes(records, copy.game)
    assert {FIRST, day(24)} <= set(due)
    copy.run(FIRST, day(24), assets=["promotion_results"])
    due = find_stored_due_outcomes(Records(lineage_of(copy.game), copy.lake), copy.game)
    assert not {FIRST, day(24)} & set(due)


def test_a_run_delivers_results_and_shows_them(copy: Installation) -> None:
    assign(copy, FIRST)
    with dg.DagsterInstance.ephemeral() as instance:
        copy.run(FIRST, assets=["promotion_results"], instance=instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("promotion_results"))
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    rows = read_rows(PROMOTION_RESULTS, FIRST, copy.lake)
    assert metadata["bundle_churn_treated"].value == row_of(rows.to_pandas())["words"]
    assert str(metadata["effects"].value).startswith("![effects](data:image/png;base64,")
    with copy.results() as database:
        assert read_report(database, PROMOTION_RESULTS, FIRST).equals(rows)


def test_a_day_without_assignments_has_no_rows(copy: Installation) -> None:
    results = judge(copy, FIRST)[FIRST]
    assert results.rows.empty
    assert not results.missing
