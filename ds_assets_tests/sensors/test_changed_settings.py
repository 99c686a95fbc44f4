"""A changed game file: the sensor says so, and makes days again once the operator asks for it."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.refresh import request_refresh
from ds_assets.installation import open_lake
from ds_assets.jobs import PREDICT, PREDICT_AGAIN
from ds_assets.runs import RANGE_END, RANGE_START
from ds_assets_tests.assets.factories import Installation, change_game, day
from ds_assets_tests.sensors.test_sensor import World, instance, make_world, names, store

__all__ = ["instance"]

PURCHASES = {"events": {"activity": ["session_start"], "purchases": ["gacha_draw"]}}


@pytest.fixture
def world(tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> World:
    """Three days whose activity and features are stored, and a new day."""
    world = make_world(tmp_path, open_lake("", tmp_path / "lake", tmp_path), instance, monkeypatch)
    for number in range(3):
        world.put(number)
    for asset in ("user_activity", "user_features"):
        store(world, asset, 0, 1, 2)
    world.days()
    world.put(3)
    return world


def change(world: World, **changes: Any) -> None:
    world.installation = Installation(change_game(world.installation, changes).home)


def range_of(request: dg.RunRequest) -> tuple[str, str]:
    return request.tags[RANGE_START], request.tags[RANGE_END]


def test_nothing_is_run_after_a_change_until_the_operator_decides_and_the_reason_is_named(
    world: World,
) -> None:
    change(world, **PURCHASES)
    assert world.tick() == []
    assert (
        "game.yaml has changed (events.counted, events.purchases, events.sessions), and 3 days "
        f"({day(0)} to {day(2)}) of user_activity" in world.reason
    )
    assert "`ds-assets refresh --yes`" in world.reason
    assert world.tick() == []


def test_days_are_made_again_in_order_once_the_operator_asks_for_it(world: World) -> None:
    change(world, **PURCHASES)
    world.tick()
    request_refresh(world.installation.game, "anna", world.lake)
    (request,) = world.tick()
    assert request.job_name == PREDICT
    assert range_of(request) == (str(day(0)), str(day(2)))
    run = world.start(request)
    assert world.tick() == []
    for asset in ("user_activity", "user_features"):
        store(world, asset, 0, 1, 2)
    world.end(run, well=True)
    (request,) = world.tick()
    assert str(day(3)) in {request.partition_key, request.tags.get(RANGE_END)}


@pytest.mark.slow
def test_the_job_of_the_operator_makes_days_again_and_a_second_run_of_it_does_nothing(
    world: World,
) -> None:
    change(world, **PURCHASES)
    job = world.installation.defs.resolve_job_def("refresh")
    for is_first in (True, False):
        assert job.execute_in_process(instance=world.instance).success
        again = [request for request in world.tick() if RANGE_START in request.tags]
        assert [range_of(request) for request in again] == [(str(day(0)), str(day(2)))][:is_first]
        for request in again:
            run = world.start(request)
            for asset in ("user_activity", "user_features"):
                store(world, asset, 0, 1, 2)
            world.end(run, well=True)
    assert "game.yaml has changed" not in world.reason


def test_a_setting_of_features_makes_days_again_from_features_on(world: World) -> None:
    change(world, active_days=9)
    assert world.tick() == []
    assert "(active_days), and 3 days" in world.reason
    request_refresh(world.installation.game, "anna", world.lake)
    (request,) = world.tick()
    assert request.job_name == PREDICT_AGAIN
    assert range_of(request) == (str(day(0)), str(day(2)))


def test_a_request_holds_for_the_game_file_that_it_was_made_for(world: World) -> None:
    change(world, active_days=9)
    request_refresh(world.installation.game, "anna", world.lake)
    change(world, active_days=8)
    assert world.tick() == []
    assert "game.yaml has changed (active_days)" in world.reason


def test_a_game_file_that_is_changed_back_and_forth_is_refreshed_each_time(world: World) -> None:
    for active_days in (9, 10, 9):
        change(world, active_days=active_days)
        if active_days == 10:  # as at first
            continue
        request_refresh(world.installation.game, "anna", world.lake)
        (request,) = world.tick()
        world.end(world.start(request), well=True)


def test_settings_for_days_from_now_on_hold_nothing(world: World) -> None:
    change(world, clusters=4, checks={"min_event_share": 0.1}, name="Other name")
    assert world.days() == names(3)


def test_a_day_that_has_events_of_an_earlier_one_is_run_again_before_others_are_made_from_it(
    world: World,
) -> None:
    world.lake.delete([f"raw/dt={day(3)}/events.jsonl"])
    for request in world.tick():
        world.end(world.start(request), well=True)
    records = open_records(world.installation.game, world.lake)
    records.mark_again("user_activity", [day(2)], "it has events of an earlier day")
    (request,) = world.tick()
    assert (request.job_name, request.partition_key) == (PREDICT, str(day(2)))
    run = world.start(request)
    store(world, "user_activity", 2)
    world.end(run, well=True)
    assert PREDICT not in {request.job_name for request in world.tick()}
