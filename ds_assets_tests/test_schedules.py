"""The schedule of the retention, evaluated as Dagster does."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from ds_assets.definitions import build_defs
from ds_assets.installation import Installation
from ds_assets.settings import load_settings
from ds_assets_tests.core.factories import make_game


@pytest.mark.parametrize(
    ("settings", "runs"), [({}, 0), ({"raw_days": 400}, 1), ({"model_days": 400}, 1)]
)
def test_the_retention_of_the_lake_is_applied_each_day_if_there_is_one(
    tmp_path: Path, settings: dict[str, int], runs: int
) -> None:
    loaded = load_settings({"home": tmp_path, "schedule_hour": 22, **settings})
    repository = build_defs(Installation(loaded, make_game())).get_repository_def()
    retention = repository.get_schedule_def("daily_retention")
    assert (retention.job_name, retention.cron_schedule) == ("remove_expired_days", "30 1 * * *")
    assert retention.default_status is dg.DefaultScheduleStatus.RUNNING
    at = dt.datetime(2026, 3, 10, 1, 30, tzinfo=dt.UTC)
    context = dg.build_schedule_context(scheduled_execution_time=at, repository_def=repository)
    assert len(retention.evaluate_tick(context).run_requests or []) == runs
