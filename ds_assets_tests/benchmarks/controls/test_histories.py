import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.controls.histories import Histories, compute_features, read_histories
from ds_assets.game import Attribute, Game
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import table_file
from ds_assets_tests.core.factories import make_game

FIRST = dt.date(2024, 1, 1)


def day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def store(rows: list[dict[str, Any]], root: Path, game: Game) -> Histories:
    """A lake with rows of `user`, number of the `day`, and what else differs from a plain visit."""
    lake = FolderLake(root)
    frame = pd.DataFrame(
        {
            "arrival": row.get("arrival", row["day"]),
            "user_id": row["user"],
            "event_date": day(row["day"]),
            "events": 1,
            "activities": row.get("activities", 1),
            "sessions": 1,
            "purchases": row.get("purchases", 0),
            "spend": row.get("spend", 0.0),
            "last_country": row.get("country", "KR"),
            "last_time": pd.Timestamp(day(row["day"])) + pd.Timedelta(hours=row.get("hour", 12)),
        }
        for row in rows
    )
    for arrival, of_day in frame.groupby("arrival"):
        file = lake.local(table_file("user_activity", day(int(str(arrival)))))
        file.parent.mkdir(parents=True)
        of_day.drop(columns="arrival").to_parquet(file)
    return read_histories(lake, game, day(365))


def game_of(**changes: Any) -> Game:
    return make_game(attributes={"country": Attribute(field="country")}, **changes)


def test_the_rhythm_of_a_user_is_seen_over_the_whole_history(tmp_path: Path) -> None:
    visits = [{"user": "a", "day": number} for number in (0, 10, 30, 150)]
    histories = store(visits, tmp_path, game_of())
    features = compute_features(histories, day(160), np.array([0])).iloc[0]
    assert features["active_days"] == 4
    assert features["active_tenure"] == 160
    assert features["active_recency"] == 10
    assert features["active_recency_exact"] == pytest.approx(10.5)
    assert features["active_gap_mean"] == pytest.approx(50)
    assert features["active_gap_last"] == features["active_gap_longest"] == 120
    assert features["active_gap_deviation"] == pytest.approx(np.std([10, 20, 120]))
    assert features["active_days_14"] == 1
    assert np.isnan(features["paid_recency"])


def test_what_arrives_or_happens_later_is_not_seen(tmp_path: Path) -> None:
    rows = [
        {"user": "a", "day": 0},
        {"user": "a", "day": 1, "arrival": 4},
        {"user": "a", "day": 5, "purchases": 1, "spend": 9.0},
    ]
    histories = store(rows, tmp_path, game_of())
    early, late = (
        compute_features(histories, day(number), np.array([0])).iloc[0] for number in (3, 4)
    )
    assert (early["active_days"], late["active_days"]) == (1, 2)
    assert early["spend"] == late["spend"] == 0


def test_rows_of_one_date_that_arrived_on_two_days_are_one_visit(tmp_path: Path) -> None:
    rows = [{"user": "a", "day": 1, "arrival": arrival, "spend": 2.0} for arrival in (1, 2)]
    histories = store(rows, tmp_path, game_of())
    features = compute_features(histories, day(3), np.array([0])).iloc[0]
    assert (features["active_days"], features["spend"]) == (1, 4)


def test_users_keep_the_order_in_which_they_are_asked_for(tmp_path: Path) -> None:
    rows = [{"user": name, "day": number} for number, name in enumerate("abc")]
    histories = store(rows, tmp_path, game_of())
    features = compute_features(histories, day(2), histories.places_of(pd.Index(["c", "a"])))
    assert list(features["active_recency"]) == [0, 2]
    with pytest.raises(ValueError, match="z is in no row"):
        histories.places_of(pd.Index(["z"]))


def test_closed_days_count_neither_in_gaps_nor_in_horizons(tmp_path: Path) -> None:
    rows = [{"user": "a", "day": number} for number in (0, 4, 9)]
    histories = store(rows, tmp_path, game_of(closed_days={day(2), day(3), day(6)}))
    features = compute_features(histories, day(4), np.array([0])).iloc[0]
    assert features["active_gap_mean"] == 2
    assert not histories.label("churn", day(4), 4, day(30))[0]
    assert histories.label("churn", day(4), 3, day(30))[0]


def test_a_label_is_what_had_arrived_after_the_snapshot(tmp_path: Path) -> None:
    rows = [
        {"user": "a", "day": 0, "purchases": 1},
        {"user": "a", "day": 2, "purchases": 1, "arrival": 9},
        {"user": "b", "day": 3},
    ]
    histories = store(rows, tmp_path, game_of())
    assert list(histories.label("payment", day(0), 7, day(8))) == [False, False]
    assert list(histories.label("payment", day(0), 7, day(9))) == [True, False]
    assert list(histories.label("churn", day(0), 7, day(8))) == [True, False]
    assert list(histories.label("churn", day(3), 7, day(11))) == [True, True]


def test_active_users_were_there_within_the_active_days(tmp_path: Path) -> None:
    rows = [
        {"user": "a", "day": 0},
        {"user": "b", "day": 1},
        {"user": "c", "day": 5, "activities": 0},
    ]
    histories = store(rows, tmp_path, game_of(active_days=5))
    assert list(histories.active_on(day(5))) == [1]
