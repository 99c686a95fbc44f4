import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ds_assets.core.contracts import conform
from ds_assets.core.tables import PLAYER_PROMOTIONS, PROMOTIONS
from ds_assets.game import Game
from ds_assets.infra.lake import promotions
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.promotions import assignments_in_effect, read_assignments
from ds_assets.infra.lake.tables import store_rows
from ds_assets_tests.core.promotions.factories import (
    START,
    assign_days,
    day_of,
    make_promoted_game,
    user_ids,
)

DAYS = [day_of(number) for number in range(20)]


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path)


def store(game: Game, lake: FolderLake, users: int = 5, **changes: Any) -> None:
    for day, assigned in assign_days(game, user_ids(users), DAYS).items():
        rows = assigned.rows.assign(**changes) if len(assigned.rows) else assigned.rows
        store_rows(conform(PROMOTIONS, rows), PROMOTIONS.name, day, lake)


def in_effect(day: dt.date, lake: FolderLake, game: Game) -> pd.DataFrame:
    frame: pd.DataFrame = assignments_in_effect(day, lake, game).to_pandas()
    return frame


def test_an_assignment_is_in_effect_until_the_day_before_its_last_one(lake: FolderLake) -> None:
    game = make_promoted_game({"bundle": {"until": START}})
    store(game, lake)
    rows = in_effect(START, lake, game)
    assert list(rows.columns) == PLAYER_PROMOTIONS.names
    assert set(rows["user_id"]) == set(user_ids(5))
    assert set(rows["assigned_on"]) == {START}
    assert set(in_effect(day_of(13), lake, game)["as_of"]) == {day_of(13)}
    assert len(in_effect(day_of(14), lake, game)) == 0
    assert len(in_effect(day_of(-1), lake, game)) == 0


def test_what_follows_the_cool_down_takes_the_place_of_the_first(lake: FolderLake) -> None:
    game = make_promoted_game()
    store(game, lake)
    assert set(in_effect(day_of(14), lake, game)["assigned_on"]) == {day_of(14)}


def test_a_promotion_that_the_game_file_no_longer_has_is_not_in_effect(lake: FolderLake) -> None:
    both = make_promoted_game({"a": {}, "b": {}})
    store(both, lake)
    assert set(in_effect(START, lake, make_promoted_game({"b": {}}))["promotion"]) == {"b"}
    assert in_effect(START, lake, make_promoted_game({})).empty
    assert len(read_assignments([START], ["user_id"], lake)) == 10


def test_assignments_of_a_refused_day_end_at_once(
    lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_promoted_game()
    store(game, lake)
    assert len(in_effect(day_of(3), lake, game)) == 5

    class Refused:
        def refused_days(self) -> set[dt.date]:
            return {START}

    monkeypatch.setattr(promotions, "Records", lambda *_: Refused())
    assert in_effect(day_of(3), lake, game).empty


def test_without_assignments_none_is_in_effect(lake: FolderLake) -> None:
    assert in_effect(START, lake, make_promoted_game()).empty
