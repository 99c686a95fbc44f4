"""The best that logs allow, beside the truth of a simulated game and what came."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.posterior import predict_best
from benchmarks.validation import area, calibration_error
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import table_file
from ds_assets.simulate import SimulationOptions
from ds_assets.simulate.events import EventType
from ds_assets.simulate.game_file import ACTIVE_DAYS, HORIZON_DAYS
from ds_assets.simulate.lines import user_ids
from ds_assets.simulate.play import SimulatedGame
from ds_assets.simulate.truth import Oracle
from ds_assets.simulate.world import build_world

DAY = 40
OPTIONS = SimulationOptions(users=3_000, days=DAY + HORIZON_DAYS + 1)


def play(lake: FolderLake) -> pd.DataFrame:
    """Play the game, store its activity, and tell the truth about the users of a day."""
    world = build_world(OPTIONS)
    game, oracle = SimulatedGame(world, OPTIONS.seed), Oracle(world, HORIZON_DAYS, ACTIVE_DAYS)
    came = np.zeros((2, world.users), dtype=bool)
    truth = pd.DataFrame()
    for day in range(OPTIONS.days):
        players, events = game.play(day, oracle.next_law())
        oracle.observe(players)
        bought = events["user"][events["type"] == EventType.PURCHASE]
        if day > DAY:
            came[0, players], came[1, bought] = True, True
            continue
        sessions = np.bincount(events["user"][events["type"] == EventType.SESSION_START])
        rows = pd.DataFrame(
            {
                "user_id": user_ids(world.users).take(players).to_pandas(),
                "event_date": OPTIONS.start + dt.timedelta(day),
                "activities": 1,
                "sessions": sessions[players],
                "purchases": np.bincount(bought, minlength=world.users)[players],
            }
        )
        file = lake.local(table_file("user_activity", OPTIONS.start + dt.timedelta(day)))
        file.parent.mkdir(parents=True)
        rows.to_parquet(file)
        if day == DAY:
            users = oracle.active_users()
            truth = pd.DataFrame(
                {"churn": oracle.churn()[users], "payment": oracle.payment()[users]}
            )
            truth.index = pd.Index(user_ids(world.users).take(users).to_pandas())
    return truth.assign(left=~came[0, users], paid=came[1, users])


@pytest.mark.slow
def test_the_best_that_logs_allow_comes_true_and_is_below_the_truth(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    users = play(lake)
    day = OPTIONS.start + dt.timedelta(DAY)
    best = predict_best(OPTIONS, lake, day, users.index.tolist())
    for scores, oracle, outcome in (
        (best.churn, users["churn"], users["left"]),
        (best.payment, users["payment"], users["paid"]),
    ):
        labels = outcome.to_numpy()
        assert scores.mean() == pytest.approx(labels.mean(), abs=0.03)
        assert calibration_error(labels, scores) < 0.04
        assert 0.75 < area(labels, scores) <= area(labels, oracle.to_numpy()) + 0.005
