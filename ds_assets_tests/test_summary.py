"""The summary that a run prints at its end."""

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ds_assets.core.contracts import conform
from ds_assets.core.tables import PROMOTION_RESULTS
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import store_rows
from ds_assets.summary import (
    ModelSummary,
    PromotionSummary,
    Summary,
    print_summary,
    summarize,
    summarize_promotions,
)
from ds_assets_tests.assets.factories import finished
from ds_assets_tests.core.promotions.factories import make_promoted_game

DAY = dt.date(2024, 3, 1)
TRAINED = ModelSummary(
    auc=0.8,
    auc_low=0.75,
    auc_high=0.85,
    recency_auc=0.7,
    judged_on=DAY,
    training_rows=100,
    base_rate=0.3,
)


def make_summary(**models: ModelSummary | str) -> Summary:
    return Summary(
        seconds=1,
        days=2,
        lines=10,
        events=10,
        lines_quarantined=0,
        refused={},
        as_of=DAY,
        users_predicted=5,
        days_delivered=1,
        models=models,
    )


def test_reasons_without_a_model_follow_the_table_over_the_whole_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    reason = "not enough data: 1 of 2 [matured] snapshots; " + "a long reason, " * 20 + "the end"
    print_summary(make_summary(churn=TRAINED, payment=reason), {})
    lines = capsys.readouterr().out.splitlines()
    bottom = next(number for number, line in enumerate(lines) if line.startswith("└"))
    table, below = lines[:bottom], lines[bottom + 1 :]
    assert not any("reason" in line for line in table)
    assert " ".join(" ".join(below).split()).startswith(f"payment: {reason}")
    assert below[0].startswith("payment: not enough data: 1 of 2 [matured] snapshots; a long")
    assert max(map(len, below)) <= 80


def test_a_table_of_trained_models_has_nothing_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(make_summary(churn=TRAINED), {})
    out = capsys.readouterr().out
    assert "0.750 to 0.850" in out
    assert "churn:" not in out


def test_users_and_those_at_risk_are_of_the_newest_delivered_day() -> None:
    installation = finished()
    days = sorted(installation.delivered())
    summary = summarize(installation.installed, 1.0, [*days[-2:], days[-1] + dt.timedelta(days=1)])
    rows = installation.predictions(days[-1]).to_pandas().set_index("user_id")
    assert (summary.as_of, summary.days_delivered) == (days[-1], 2)
    assert summary.users_predicted == len(rows)
    assert summary.most_at_risk
    for user in summary.most_at_risk:
        row = rows.loc[user.user_id]
        assert user.churn_probability == row["churn_probability"]
        assert user.payment_probability == row["payment_probability"]
        assert user.cluster_name == row["cluster_name"]
    risks = [user.churn_probability for user in summary.most_at_risk]
    assert risks == sorted(risks, reverse=True)


def make_results(**changes: Any) -> pd.DataFrame:
    """A row of what a promotion changed: the share of its users who leave, in all of them."""
    row = {
        "as_of": DAY,
        "promotion": "bundle",
        "version": "1",
        "analysis": "assigned",
        "segment": "all",
        "outcome": "churn",
        "arm": "treated",
        "users_treated": 100,
        "users_control": 90,
        "value_treated": 0.3,
        "value_control": 0.5,
        "effect": -0.2,
        "low": -0.3,
        "high": -0.1,
        "p_value": 0.001,
        "state": "result",
        "words": "Fewer leave.",
        "wave": 1,
        "assigned_from": DAY,
        "assigned_until": DAY,
    }
    return pd.DataFrame([row | changes])


def test_a_promotion_is_summarized_by_its_target_in_all_users_of_the_newest_day(
    tmp_path: Path,
) -> None:
    lake, game = FolderLake(tmp_path), make_promoted_game()
    assert summarize_promotions(lake, game) == []
    others = [
        make_results(segment="cluster=1", effect=0.1),
        make_results(analysis="shown", effect=0.2),
        make_results(outcome="payment", effect=0.3),
        make_results(arm="as_before", effect=0.4),
        make_results(promotion="all", effect=0.5),
        make_results(promotion="removed", effect=0.6),
    ]
    for day, effect in ((DAY, -0.25), (DAY - dt.timedelta(days=1), -0.2)):
        rows = pd.concat([make_results(effect=effect), *others]).assign(as_of=day)
        rows = rows.sort_values([*PROMOTION_RESULTS.key])
        store_rows(conform(PROMOTION_RESULTS, rows), PROMOTION_RESULTS.name, day, lake)
    (summary,) = summarize_promotions(lake, game)
    assert (summary.name, summary.target, summary.users) == ("bundle", "churn", 190)
    assert summary.effect == pytest.approx(-0.25)
    assert (summary.state, summary.words) == ("result", "Fewer leave.")


def test_a_promotion_without_a_result_says_what_is_missing(tmp_path: Path) -> None:
    lake, missing = FolderLake(tmp_path), dict.fromkeys(("effect", "low", "high", "p_value"))
    rows = make_results(state="not_yet", words="Not yet: 9 more players.", **missing)
    store_rows(conform(PROMOTION_RESULTS, rows), PROMOTION_RESULTS.name, DAY, lake)
    (summary,) = summarize_promotions(lake, make_promoted_game())
    assert (summary.state, summary.effect, summary.low) == ("not_yet", None, None)


def make_promotion_summary(**changes: Any) -> PromotionSummary:
    columns = {str(key): it for key, it in make_results().iloc[0].items()}
    return PromotionSummary(**columns | {"name": "bundle", "target": "churn", "users": 5} | changes)


def test_effects_are_shown_in_points_beside_the_true_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    summary = make_summary(churn=TRAINED)
    waiting = make_promotion_summary(name="waits", effect=None, state="not_yet", words="9 more.")
    summary.promotions = [make_promotion_summary(), waiting]
    print_summary(summary, {})
    out = capsys.readouterr().out
    assert "-30.0 to -10.0" in out
    assert "not_yet" in out
    assert "waits: 9 more." in out
    assert "true" not in out
    summary.promotions[0].true_effect = -0.18
    print_summary(summary, {})
    assert "-18.0" in capsys.readouterr().out
