from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_quality, validation
from benchmarks.against_baseline import Contest, combined_row, level_rows, share_row, total_row
from benchmarks.controls.bg_nbd import Forecast


def contest_of(users: int) -> Contest:
    rng = np.random.default_rng(0)
    chances = rng.uniform(0.05, 0.95, users)
    level = np.full(users, 0.5)
    return Contest(rng.random(users) < chances, chances, level, Forecast(level, level))


def test_a_total_is_off_by_the_same_in_both_directions() -> None:
    assert total_row("spend", 90, 100).value == total_row("spend", 110, 100).value == 0.1
    assert total_row("spend", 80, 100).holds is False
    assert "0.800" in (total_row("spend", 80, 100).control or "")


def test_calibration_has_a_goal_only_where_users_are_many() -> None:
    few, many = ([row.holds for row in level_rows("x", contest_of(n))] for n in (500, 8_000))
    assert few[:2] == [None, None]
    assert many[:2] == [None, True]


@pytest.mark.slow
def test_the_mean_of_both_gains_where_they_know_different_things() -> None:
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(2, 4_000))
    ours, theirs, all_of_it = (1 / (1 + np.exp(-x)) for x in (*parts, parts.sum(axis=0)))
    contest = Contest(rng.random(4_000) < all_of_it, ours, theirs, Forecast(ours, ours))
    assert (combined_row("x", contest).value or 0) > 0.05
    assert combined_row("x", replace(contest, ours=theirs)).value == 0


def test_the_truth_itself_reaches_all_of_the_best() -> None:
    contest = contest_of(2_000)
    row = share_row("x", contest, contest.ours)
    assert row.value == 1
    assert "baseline 0.0000" in (row.control or "")


@pytest.mark.slow
def test_a_young_game_is_compared_with_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_quality, "YOUNG_JUDGED", (27,))
    monkeypatch.setattr(validation, "RESAMPLES", 20)
    rows = list(bench_quality.young_rows(tmp_path / "young", 600))
    units = {row.unit for row in rows}
    assert units == {"share", "AUC", "nats", "ECE", "Gini"}
    assert rows[0].name == "baseline, young, churn, 2026-01-28: users with a probability"
    assert rows[-1].name == "baseline, young: mean AUC more"
