from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.pausing_game import (
    ACTIVE_DAYS,
    FIRST_DAY,
    HORIZON_DAYS,
    best_predictions,
    draw_activity,
    draw_players,
    simulate_pausing_game,
)
from benchmarks.validation import area, calibration_error
from ds_assets.game import load_game

USERS, DAYS, DAY = 3_000, 160, 130


def test_many_players_come_back_after_weeks() -> None:
    rng = np.random.default_rng(0)
    activity = draw_activity(draw_players(USERS, DAYS, rng), DAYS, rng)
    longest = [np.diff(np.flatnonzero(days)).max(initial=0) for days in activity]
    assert np.mean(np.array(longest) > 14) > 0.3


def test_the_truth_about_pauses_comes_true() -> None:
    rng = np.random.default_rng(1)
    players = draw_players(USERS, DAYS, rng)
    activity = draw_activity(players, DAYS, rng)
    users, truth = best_predictions(players, activity[:, : DAY + 1])
    assert list(users) == list(
        np.flatnonzero(activity[:, DAY - ACTIVE_DAYS + 1 : DAY + 1].any(axis=1))
    )
    left = np.logical_not(activity[users, DAY + 1 : DAY + 1 + HORIZON_DAYS].any(axis=1))
    churn = truth["churn_probability"]
    assert area(left, churn) > 0.75
    assert calibration_error(left, churn) < 0.05
    assert churn.mean() == pytest.approx(left.mean(), abs=0.03)
    assert ((truth["payment_probability"] >= 0) & (truth["payment_probability"] <= 1)).all()


def test_a_pausing_game_is_written_with_its_truth(tmp_path: Path) -> None:
    simulate_pausing_game(50, 40, tmp_path, [30])
    game = load_game(tmp_path / "game.yaml")
    assert game.first_day == FIRST_DAY
    assert len(list((tmp_path / "source").iterdir())) == 40
    truth = pd.read_parquet(next((tmp_path / "truth").iterdir()))
    assert truth["user_id"].is_monotonic_increasing
    assert {"churn_probability", "payment_probability"} <= set(truth.columns)
