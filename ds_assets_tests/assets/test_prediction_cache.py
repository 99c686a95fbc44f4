"""The asset on a real Redis: what it writes, and how it fails."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest

from ds_assets import daily_assets
from ds_assets.definitions import build_defs
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.installation import Installation as Installed
from ds_assets.settings import load_settings
from ds_assets_tests.assets.factories import LAST, Installation, finished
from ds_assets_tests.faults.proxy import BLACK_HOLE, FaultProxy
from ds_assets_tests.infra.factories import get_rows

pytestmark = pytest.mark.server

DELIVERY = ("rds_results", "prediction_cache")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds that Dagster waits between the attempts at an asset, at most; here it does not."""
    policy = daily_assets.RETRIES
    monkeypatch.setattr(daily_assets, "RETRIES", dg.RetryPolicy(max_retries=policy.max_retries))
    attempts = range(1, policy.max_retries + 1)
    return sum(max(policy.calculate_delay(it) for _ in range(1_000)) for it in attempts)


def deliver(installation: Installation, url: str) -> dg.ExecuteInProcessResult:
    settings = load_settings({"home": installation.home, "cache_url": url})
    job = build_defs(Installed(settings, installation.game)).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        partition_key=str(LAST),
        asset_selection=[dg.AssetKey(name) for name in DELIVERY],
        raise_on_error=False,
    )


def steps(result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType) -> list[str | None]:
    return [event.step_key for event in result.all_events if event.event_type is kind]


@pytest.mark.slow
def test_without_an_answer_the_asset_is_retried_says_why_and_holds_nothing_else_up(
    tmp_path: Path, redis_url: str, waits: float
) -> None:
    installation = finished().copy(tmp_path)
    with FaultProxy(urlsplit(redis_url).port or 6379) as proxy:
        proxy.fault = BLACK_HOLE
        url = redis_url.replace(f":{urlsplit(redis_url).port}", f":{proxy.port}")
        began = time.monotonic()
        result = deliver(installation, url)
        seconds = time.monotonic() - began
    done = steps(result, dg.DagsterEventType.STEP_SUCCESS)
    assert "rds_results" in done
    assert "prediction_cache" not in done
    again = ["prediction_cache"] * daily_assets.RETRIES.max_retries
    assert steps(result, dg.DagsterEventType.STEP_RESTARTED) == again
    (failure,) = result.get_step_failure_events()
    error = failure.step_failure_data.error
    while error and "CacheUnavailable" not in str(error.cls_name):
        error = error.cause
    assert error
    assert f"the cache at redis://127.0.0.1:{proxy.port}/0 (DS_ASSETS_CACHE_URL)" in error.message
    assert str(urlsplit(redis_url).password) not in str(failure)
    assert seconds + waits < 60


@pytest.mark.slow
def test_the_day_is_in_redis_after_a_run(tmp_path: Path, redis_url: str) -> None:
    installation = finished().copy(tmp_path)
    assert deliver(installation, redis_url).success
    rows = installation.predictions(LAST).to_pylist()
    with PredictionCache(redis_url, installation.game.name, 7) as cache:
        assert get_rows(cache, [it["user_id"] for it in rows]) == [
            {name: it[name] for name in rows[0] if name in it} for it in rows
        ]
