import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from ds_assets.definitions import build_defs
from ds_assets.installation import Installation
from ds_assets.settings import load_settings
from ds_assets_tests.core.factories import make_game


def schedule(
    home: Path, zone: str, hour: int, last: dt.date | None = None
) -> dg.RepositoryDefinition:
    game = make_game(first_day=dt.date(2026, 1, 1), last_day=last, time_zone=zone)
    settings = load_settings({"home": home, "schedule_hour": hour})
    defs = build_defs(Installation(settings, game))
    return defs.get_repository_def()


def requested_keys(repository: dg.RepositoryDefinition, at: dt.datetime) -> list[str | None]:
    context = dg.build_schedule_context(scheduled_execution_time=at, repository_def=repository)
    tick = repository.get_schedule_def("daily_collection").evaluate_tick(context)
    return [request.partition_key for request in tick.run_requests or []]


def test_on_the_first_day_of_a_game_there_is_no_day_before_to_ask_for(tmp_path: Path) -> None:
    repository = schedule(tmp_path, "UTC", hour=2)
    assert requested_keys(repository, dt.datetime(2026, 1, 1, 2, tzinfo=dt.UTC)) == []
    assert requested_keys(repository, dt.datetime(2026, 1, 2, 2, tzinfo=dt.UTC)) == ["2026-01-01"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/Los_Angeles"])
def test_at_the_set_hour_of_the_games_zone_the_day_before_is_asked_for(
    tmp_path: Path, zone: str
) -> None:
    repository = schedule(tmp_path, zone, hour=4)
    tick = repository.get_schedule_def("daily_collection")
    assert (tick.cron_schedule, tick.execution_timezone) == ("0 4 * * *", zone)
    at = dt.datetime(2026, 3, 10, 4, tzinfo=ZoneInfo(zone))
    assert requested_keys(repository, at) == ["2026-03-09"]


def test_the_day_after_the_clock_changed_asks_for_the_day_before(tmp_path: Path) -> None:
    repository = schedule(tmp_path, "Europe/Berlin", hour=2)
    at = dt.datetime(2026, 3, 30, 2, tzinfo=ZoneInfo("Europe/Berlin"))
    assert requested_keys(repository, at) == ["2026-03-29"]


def test_a_tick_while_the_clock_changes_asks_for_the_day_before(tmp_path: Path) -> None:
    repository = schedule(tmp_path, "Europe/Berlin", hour=2)
    # There is no 2 o'clock on that day: an hour after 1 it is 3.
    at = dt.datetime(2026, 3, 29, 3, tzinfo=ZoneInfo("Europe/Berlin"))
    assert requested_keys(repository, at) == ["2026-03-28"]


def test_after_the_last_day_of_a_game_nothing_is_asked_for(tmp_path: Path) -> None:
    repository = schedule(tmp_path, "UTC", hour=2, last=dt.date(2026, 3, 5))
    assert requested_keys(repository, dt.datetime(2026, 3, 6, 2, tzinfo=dt.UTC)) == ["2026-03-05"]
    for later in (dt.date(2026, 3, 7), dt.date(2027, 1, 1)):
        at = dt.datetime.combine(later, dt.time(2), dt.UTC)
        assert requested_keys(repository, at) == []


def test_the_schedule_runs_the_collection_job_without_being_switched_on(tmp_path: Path) -> None:
    schedule_definition = schedule(tmp_path, "UTC", hour=2).get_schedule_def("daily_collection")
    assert schedule_definition.job_name == "collect_logs"
    assert schedule_definition.default_status is dg.DefaultScheduleStatus.RUNNING
