"""What is assigned is a fact: it is made once, for a day on which one can still act."""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from ds_assets.assets.promotions import DayPromotions, update
from ds_assets.core.promotions.decisions import Choice
from ds_assets.core.tables import PREDICTIONS, PROMOTIONS, USER_EFFECTS
from ds_assets.core.verdicts import Decision
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.assignment_files import AssignmentFiles
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.promotion_states import decide_about_promotion
from ds_assets.infra.lake.promotions import assignments_in_effect, read_assignments
from ds_assets.infra.lake.tables import store_rows, table_file
from ds_assets.infra.withdrawal import take_offers_out_of_cache
from ds_assets.jobs import DELIVERED
from ds_assets_tests.assets.factories import (
    Installation,
    change_game,
    day,
    event,
    make_installation,
)
from ds_assets_tests.core.promotions.factories import make_promoted_game, user_ids
from ds_assets_tests.infra.factories import fetch_values, row, table

ALL = {"who": "true"}
USERS = user_ids(60)
PLAYERS = [f"u{number}" for number in range(10)]


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path / "lake")


def predict(lake: FolderLake, *days: dt.date, users: Sequence[str] = USERS) -> None:
    for at in days:
        store_rows(table(*(row(user, at) for user in users)), PREDICTIONS.name, at, lake)
        store_rows(USER_EFFECTS.arrow_schema.empty_table(), USER_EFFECTS.name, at, lake)


def assign(
    lake: FolderLake, game: Game, *days: dt.date, folder: Path | None = None
) -> dict[dt.date, DayPromotions]:
    files = AssignmentFiles(folder or Path("nowhere"))
    return update(days, lake, open_duckdb(512, 2), files, game)


def rows_of(lake: FolderLake, *days: dt.date) -> pd.DataFrame:
    return read_assignments(days, PROMOTIONS.names, lake)


def test_a_stored_day_stays_as_it_is_whatever_changes(lake: FolderLake) -> None:
    predict(lake, day(0), day(1))
    assign(lake, make_promoted_game({"bundle": ALL}), day(0), day(1))
    before = {at: lake.read(table_file(PROMOTIONS.name, at)) for at in (day(0), day(1))}
    predict(lake, day(0), users=["another"])
    again = assign(lake, make_promoted_game({"other": {"who": "false"}}), day(1), day(0))
    assert {at: lake.read(table_file(PROMOTIONS.name, at)) for at in before} == before
    assert again[day(0)].rows == len(USERS)
    assert again[day(0)].remark.startswith("assigned before")


def test_a_day_before_assignments_is_too_late_to_act_on(lake: FolderLake) -> None:
    game = make_promoted_game({"bundle": ALL})
    predict(lake, *(day(number) for number in range(3)))
    assign(lake, game, day(1))
    assigned = assign(lake, game, day(0), day(2))
    assert assigned[day(0)] == DayPromotions(
        0, f"there are assignments of {day(1)}: it is too late for this day"
    )
    assert assigned[day(2)].counts["bundle"].cooling_down == len(USERS)


@pytest.mark.slow
def test_days_at_once_are_assigned_as_days_one_by_one(lake: FolderLake, tmp_path: Path) -> None:
    game = make_promoted_game({"bundle": ALL | {"per_day": 7}, "gift": ALL | {"group": "g"}})
    days, other = [day(number) for number in range(4)], FolderLake(tmp_path / "other")
    for place in (lake, other):
        predict(place, *days)
    assign(lake, game, *days)
    for at in days:
        assign(other, game, at)
    pd.testing.assert_frame_equal(rows_of(lake, *days), rows_of(other, *days))


def test_a_damaged_day_is_assigned_again_if_it_is_the_newest(lake: FolderLake) -> None:
    game = make_promoted_game({"bundle": ALL})
    predict(lake, day(0), day(1))
    assign(lake, game, day(0), day(1))
    before = rows_of(lake, day(0))
    lake.write(table_file(PROMOTIONS.name, day(1)), b"")
    assert assign(lake, game, day(1))[day(1)].remark == ""
    pd.testing.assert_frame_equal(rows_of(lake, day(0)), before)


def test_a_paused_promotion_assigns_nobody_until_it_is_resumed(lake: FolderLake) -> None:
    game = make_promoted_game({"bundle": ALL | {"per_day": 5}, "gift": ALL})
    predict(lake, *(day(number) for number in range(3)))
    decide_about_promotion("bundle", Choice.PAUSED, "a broken price", "anna", lake, game)
    assigned = assign(lake, game, day(0))[day(0)]
    assert set(rows_of(lake, day(0))["promotion"]) == {"gift"}
    assert str(assigned.states["bundle"]).endswith(": a broken price")
    decide_about_promotion("bundle", Choice.RESUMED, "", "anna", lake, game)
    assign(lake, game, day(1))
    assert "bundle" in set(rows_of(lake, day(1))["promotion"])
    with pytest.raises(InputError, match=r"found 'joy'; the promotions of game\.yaml are: bundle"):
        decide_about_promotion("joy", Choice.PAUSED, "why", "anna", lake, game)
    with pytest.raises(InputError, match="a reason is required"):
        decide_about_promotion("gift", Choice.PAUSED, " ", "anna", lake, game)


def test_arms_from_outside_are_taken_in_and_a_file_with_mistakes_stops_its_promotion_alone(
    lake: FolderLake, tmp_path: Path
) -> None:
    game = make_promoted_game({"listed": {"who": None, "assigned_by": "users.csv"}, "gift": ALL})
    predict(lake, day(0), day(1))
    broken = assign(lake, game, day(0), folder=tmp_path)[day(0)]
    assert str(broken.states["listed"]).startswith(f"stopped, there is no file {tmp_path}")
    assert set(rows_of(lake, day(0))["promotion"]) == {"gift"}
    (tmp_path / "users.csv").write_text("user_id,arm\nuser 1,treated\nuser 2,control\ngone,control")
    assign(lake, game, day(1), folder=tmp_path)
    rows = rows_of(lake, day(1))
    assert dict(zip(rows["user_id"], rows["arm"], strict=True)) == {
        "user 1": "treated",
        "user 2": "control",
    }


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Two days of a small game with a promotion through the whole graph."""
    installation = make_installation(tmp_path_factory.mktemp("promoted") / "home")
    change_game(installation, {"promotions": {"bundle": {"who": "active_days_1d > 0"}}})
    for number in range(2):
        lines = [event(n, f"{day(number)}T12:00:00Z", f"u{n}") for n in range(number, number + 9)]
        installation.write_logs(day(number), *lines)
    installation.run(day(0), day(1))
    return installation


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as passing:
        yield passing


def metadata(instance: dg.DagsterInstance) -> dict[str, Any]:
    happened = instance.get_latest_materialization_event(dg.AssetKey("promotions"))
    assert happened is not None
    assert happened.asset_materialization is not None
    return {name: it.value for name, it in happened.asset_materialization.metadata.items()}


@pytest.mark.slow
def test_the_graph_assigns_users_and_keeps_them_when_it_runs_again(
    played: Installation, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    installation = played.copy(tmp_path)
    in_effect = assignments_in_effect(day(1), installation.lake, installation.game)
    assert len(in_effect) == 10  # nine users on the first day, and the new one of the second
    before = installation.lake.read(table_file("promotions", day(1)))
    installation.run(day(1), assets=("promotions",), instance=instance)
    assert metadata(instance)["remark"].startswith("assigned before")
    assert installation.lake.read(table_file("promotions", day(1))) == before


@pytest.mark.slow
def test_the_ui_shows_how_many_users_each_promotion_has_and_why(
    played: Installation, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    installation = played.copy(tmp_path)
    installation.lake.delete([table_file("promotions", day(1))])
    decide_about_promotion(
        "bundle", Choice.PAUSED, "why not", "anna", installation.lake, installation.game
    )
    installation.run(day(1), assets=("promotions",), instance=instance)
    shown = metadata(instance)
    assert shown["dagster/partition_row_count"] == 0
    (record,) = [it.data for it in shown["promotions"].records]
    assert record["promotion"] == "bundle"
    assert str(record["state"]).startswith("paused, by anna on ")
    key = dg.AssetCheckKey(dg.AssetKey("promotions"), "are_running")
    (run,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert run.event is not None
    assert run.event.dagster_event is not None
    result = run.event.dagster_event.asset_check_evaluation_data
    assert not result.passed
    assert str(result.description).endswith("continue with `ds-assets resume bundle`")


@pytest.mark.slow
def test_a_refused_day_assigns_nobody_and_its_assignments_end(
    played: Installation, tmp_path: Path
) -> None:
    installation = played.copy(tmp_path)
    lake, game = installation.lake, installation.game
    decide_by_operator(day(0), Decision.REFUSED, "half of it is missing", "anna", lake, game)
    assert set(assignments_in_effect(day(1), lake, game)["assigned_on"].to_pylist()) == {day(1)}
    with pytest.raises(InputError, match="user_activity is refused by anna"):
        installation.run(day(0), assets=("promotions",))


@pytest.mark.slow
@pytest.mark.server
def test_withdrawn_offers_leave_the_cache_at_once_and_the_rest_with_the_next_delivery(
    played: Installation, tmp_path: Path
) -> None:
    installation = played.copy(tmp_path)
    lake, game = installation.lake, installation.game
    offered = offers_of(installation)
    assert any(offered)
    decide_about_promotion("bundle", Choice.WITHDRAWN, "it crashes", "anna", lake, game)
    assert offers_of(installation) == offered
    for _ in range(2):  # also after a kill
        with installation.cache() as cache:
            taken_out = take_offers_out_of_cache("bundle", lake, cache, game)
            assert [at for at, _ in taken_out] == [day(1), day(0)]
        assert not any(offers_of(installation))
    assert outdated_deliveries(installation) == {day(0), day(1)}
    assert open_records(game, lake).outdated_days("promotion_shown") == []
    installation.run(day(0), day(1), assets=DELIVERED)
    assert outdated_deliveries(installation) == set()
    assert not any(offers_of(installation))
    with installation.results() as results:
        assert not any(row["promotions"] for row in results.latest(PLAYERS))
    assert set(read_assignments([day(0)], ["promotion"], lake)["promotion"]) == {"bundle"}


@pytest.mark.slow
@pytest.mark.server
def test_a_resume_assigns_users_again_and_makes_no_delivered_day_outdated(
    played: Installation, tmp_path: Path
) -> None:
    installation = played.copy(tmp_path)
    lake, game = installation.lake, installation.game
    lake.delete([table_file("promotions", day(1))])
    decide_about_promotion("bundle", Choice.WITHDRAWN, "it crashes", "anna", lake, game)
    installation.run(day(1), assets=("promotions", "rds_results", "prediction_cache"))
    assert rows_of(lake, day(1)).empty
    decide_about_promotion("bundle", Choice.RESUMED, "", "anna", lake, game)
    assert outdated_deliveries(installation) == {day(0)}
    assert assignments_in_effect(day(2), lake, game).num_rows == 0


def offers_of(installation: Installation) -> list[Any]:
    """The offers of each user in the cache."""
    with installation.cache() as cache:
        _, values = fetch_values(cache, PLAYERS)
    return [json.loads(b"{" + value.members).get("promotions") for value in values if value]


def outdated_deliveries(installation: Installation) -> set[dt.date]:
    records = open_records(installation.game, installation.lake)
    return {
        at for asset in ("rds_results", "prediction_cache") for at in records.outdated_days(asset)
    }
