"""Changes of offers by day: a chain that ends at what is in effect, and that nothing rewrites."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ds_assets.assets.promotion_changes import update
from ds_assets.core.contracts import conform
from ds_assets.core.promotions.decisions import Choice
from ds_assets.core.tables import PROMOTION_CHANGES, PROMOTION_OFFERS, PROMOTIONS
from ds_assets.game import Game
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.promotion_states import decide_about_promotion
from ds_assets.infra.lake.tables import read_rows, store_rows, table_file
from ds_assets_tests.core.promotions.factories import (
    START,
    arms_by_user,
    assign_days,
    day_of,
    make_promoted_game,
    user_ids,
)

DAYS = [day_of(number) for number in range(20)]
USERS = user_ids(40)


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path)


@pytest.fixture
def game() -> Game:
    """A game whose promotion is in effect for two weeks, for the users of its only day."""
    return make_promoted_game({"bundle": {"until": START}})


def store_assignments(lake: FolderLake, game: Game, until: int = 20) -> dict[str, str]:
    """Store days of assignments. Returns the arm of each user."""
    assigned = assign_days(game, USERS, DAYS[:until])
    for day, rows in assigned.items():
        store_rows(conform(PROMOTIONS, rows.rows), PROMOTIONS.name, day, lake)
    return arms_by_user(assigned[START].rows)


def changes_of(day: dt.date, lake: FolderLake) -> dict[str, str]:
    rows = read_rows(PROMOTION_CHANGES, day, lake).to_pylist()
    return {row["user_id"]: row["change"] for row in rows}


@pytest.mark.slow
def test_offers_enter_when_they_are_assigned_and_leave_on_their_last_day(
    lake: FolderLake, game: Game
) -> None:
    arms = store_assignments(lake, game)
    treated = {user for user, arm in arms.items() if arm == "treated"}
    assert treated < set(USERS)
    changes = update(DAYS, lake, game)
    assert changes_of(START, lake) == dict.fromkeys(treated, "entered")
    assert changes_of(day_of(14), lake) == dict.fromkeys(treated, "left")
    others = [day for day in DAYS if day not in {START, day_of(14)}]
    assert not any(changes_of(day, lake) for day in others)
    assert changes[START].counts == {"entered": len(treated)}


@pytest.mark.slow
def test_a_day_that_was_not_run_is_part_of_the_next_one(lake: FolderLake, game: Game) -> None:
    store_assignments(lake, game)
    update([START, day_of(15)], lake, game)
    assert set(changes_of(day_of(15), lake).values()) == {"left"}


@pytest.mark.slow
def test_what_is_stored_stays_and_later_changes_belong_to_the_next_day(
    lake: FolderLake, game: Game
) -> None:
    store_assignments(lake, game)
    update([START], lake, game)
    before = changes_of(START, lake)
    store_rows(PROMOTIONS.arrow_schema.empty_table(), PROMOTIONS.name, START, lake)
    assert update([START], lake, game)[START].remark == "stored before: it stays as it is"
    assert changes_of(START, lake) == before
    update([day_of(1)], lake, game)
    assert changes_of(day_of(1), lake) == dict.fromkeys(before, "left")


def test_withdrawn_offers_leave_with_the_next_day(lake: FolderLake, game: Game) -> None:
    store_assignments(lake, game, until=1)
    update([START], lake, game)
    before = changes_of(START, lake)
    decide_about_promotion("bundle", Choice.WITHDRAWN, "it crashes", "anna", lake, game)
    update([START, day_of(1)], lake, game)
    assert changes_of(START, lake) == before
    assert changes_of(day_of(1), lake) == dict.fromkeys(before, "left")


@pytest.mark.slow
def test_a_day_before_the_newest_one_has_no_changes(lake: FolderLake, game: Game) -> None:
    store_assignments(lake, game)
    update([day_of(3)], lake, game)
    changes = update([day_of(1)], lake, game)[day_of(1)]
    assert changes.remark == f"there are changes of {day_of(3)}: it is too late for this day"
    assert changes_of(day_of(1), lake) == {}
    update([day_of(14)], lake, game)
    assert set(changes_of(day_of(14), lake).values()) == {"left"}


@pytest.mark.slow
@pytest.mark.parametrize("table", [PROMOTION_OFFERS, PROMOTION_CHANGES])
def test_a_damaged_day_is_made_again(lake: FolderLake, game: Game, table: Any) -> None:
    store_assignments(lake, game)
    update([START], lake, game)
    before = changes_of(START, lake)
    lake.write(table_file(table.name, START), b"no parquet")
    assert update([START], lake, game)[START].remark == ""
    assert changes_of(START, lake) == before


@pytest.mark.slow
def test_without_promotions_all_offers_leave(lake: FolderLake, game: Game) -> None:
    store_assignments(lake, game)
    update([START], lake, game)
    update([day_of(1)], lake, game.model_copy(update={"promotions": {}}))
    assert set(changes_of(day_of(1), lake).values()) == {"left"}
