import datetime as dt
from pathlib import Path

from ds_assets.assets import prediction_models
from ds_assets.game import Game
from ds_assets.resources.lake import FolderLake
from ds_assets.resources.stored_tables import table_file
from ds_assets_tests.core.factories import make_game

SNAPSHOT = dt.date(2026, 3, 1)
HORIZON = 3


def stored(lake: FolderLake, table: str, *days: int) -> None:
    for n in days:
        lake.write(table_file(table, SNAPSHOT + dt.timedelta(days=n)), b"")


def is_complete(lake: FolderLake, game: Game) -> bool:
    return prediction_models._is_complete(SNAPSHOT, HORIZON, lake, game)


def test_a_snapshot_trains_when_its_features_and_its_whole_window_are_there(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    stored(lake, "user_features", 0)
    stored(lake, "user_activity", 1, 2, 3)
    assert is_complete(lake, make_game())


def test_a_day_missing_in_the_window_does_not_read_as_users_who_left(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    stored(lake, "user_features", 0)
    stored(lake, "user_activity", 1, 3)
    assert not is_complete(lake, make_game())


def test_a_day_missing_in_the_grace_does_not_read_as_users_who_left(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    stored(lake, "user_features", 0)
    stored(lake, "user_activity", 1, 2, 3)
    patient = make_game().model_copy(update={"grace_days": 1})
    assert not is_complete(lake, patient)


def test_a_snapshot_without_features_does_not_train(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    stored(lake, "user_activity", 1, 2, 3)
    assert not is_complete(lake, make_game())
