"""The summary that a run prints at its end."""

import datetime as dt

import pytest

from ds_assets.summary import ModelSummary, Summary, print_summary

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
