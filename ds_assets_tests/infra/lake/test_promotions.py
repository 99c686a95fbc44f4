import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from ds_assets.core.contracts import conform
from ds_assets.core.promotions.decisions import Choice
from ds_assets.core.tables import PLAYER_PROMOTIONS, PROMOTIONS
from ds_assets.game import Game
from ds_assets.infra.lake import promotions, tables
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.promotion_states import decide_about_promotion
from ds_assets.infra.lake.promotions import (
    AssignmentHistory,
    assignments_in_effect,
    read_assignments,
    rows_in_effect,
)
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


def store(
    game: Game,
    lake: FolderLake,
    users: int = 5,
    days: Sequence[dt.date] = DAYS,
    **changes: Any,
) -> None:
    for day, assigned in assign_days(game, user_ids(users), days).items():
        rows = assigned.rows.assign(**changes) if len(assigned.rows) else assigned.rows
        store_rows(conform(PROMOTIONS, rows), PROMOTIONS.name, day, lake)


def in_effect(day: dt.date, lake: FolderLake, game: Game) -> pd.DataFrame:
    frame: pd.DataFrame = assignments_in_effect(day, lake, game).to_pandas()
    return frame


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_follows_the_cool_down_takes_the_place_of_the_first(lake: FolderLake) -> None:
    game = make_promoted_game()
    store(game, lake)
    assert set(in_effect(day_of(14), lake, game)["assigned_on"]) == {day_of(14)}


@pytest.mark.slow
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


def decide(choice: Choice, lake: FolderLake, game: Game) -> None:
    decide_about_promotion("a", choice, "the price is wrong", "anna", lake, game)


def test_what_is_withdrawn_is_in_effect_on_no_day_and_waits_for_nothing(lake: FolderLake) -> None:
    game = make_promoted_game({"a": {"group": "offers"}, "b": {}})
    store(game, lake, days=DAYS[:3])
    decide(Choice.WITHDRAWN, lake, game)
    for day in DAYS[:4]:
        assert set(in_effect(day, lake, game)["promotion"]) == {"b"}
    before = AssignmentHistory(lake, game).before(DAYS[3])
    assert set(before["promotion"]) == {"b"}  # neither its cool-down nor its group excludes a user
    assert set(read_assignments(DAYS[:3], ["promotion"], lake)["promotion"]) == {"a", "b"}


def test_what_is_assigned_after_a_resume_counts_and_the_rest_stays_withdrawn(
    lake: FolderLake,
) -> None:
    game = make_promoted_game({"a": {}})
    store(game, lake, days=DAYS[:3])
    decide(Choice.WITHDRAWN, lake, game)
    # A run that had begun before stores its assignments now.
    store(game, lake, days=DAYS[3:4])
    decide(Choice.WITHDRAWN, lake, game)
    assert in_effect(DAYS[3], lake, game).empty
    decide(Choice.RESUMED, lake, game)
    assert in_effect(DAYS[3], lake, game).empty
    store(game, lake, days=DAYS[4:5])
    assert set(in_effect(DAYS[5], lake, game)["assigned_on"]) == {DAYS[4]}
    assert len(in_effect(DAYS[5], lake, game)) == 5


def test_what_had_ended_before_a_withdrawal_still_counts_in_the_cool_down(
    lake: FolderLake,
) -> None:
    game = make_promoted_game({"a": {"cool_down": 40}})
    store(game, lake)
    assert in_effect(DAYS[16], lake, game).empty
    decide(Choice.WITHDRAWN, lake, game)
    assert set(AssignmentHistory(lake, game).before(DAYS[16])["as_of"]) == {START}


def test_assignments_in_effect_are_read_a_few_at_a_time_and_by_user(
    lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_promoted_game({"a": {}, "b": {}})
    store(game, lake, users=140, days=DAYS[:1])
    store(game, lake, users=90, days=DAYS[1:3])
    whole = assignments_in_effect(DAYS[2], lake, game)
    assert set(whole["assigned_on"].to_pylist()) == {*DAYS[:2]}
    monkeypatch.setattr(tables, "_ROWS_PER_BATCH", 7)
    rows = rows_in_effect(DAYS[2], lake, game)
    pieces = list(rows)
    assert max(piece.num_rows for piece in pieces) < 30
    assert pa.concat_tables(pieces).equals(whole)
    assert rows.to_table().equals(whole)
    users = [user for piece in pieces for user in set(piece["user_id"].to_pylist())]
    assert len(users) == len({*whole["user_id"].to_pylist()}) > 100


def test_without_assignments_none_is_in_effect(lake: FolderLake) -> None:
    assert in_effect(START, lake, make_promoted_game()).empty
