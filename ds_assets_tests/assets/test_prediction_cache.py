"""The asset on a real Redis: what it writes, how it fails, and refilling a lost cache."""

import datetime as dt
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pytest

from ds_assets import daily_assets
from ds_assets.assets.prediction_cache import materialize_days, rebuild
from ds_assets.definitions import build_defs
from ds_assets.errors import InputError
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import store_rows
from ds_assets.installation import Installation as Installed
from ds_assets.settings import load_settings
from ds_assets_tests.assets.factories import LAST, Installation, finished
from ds_assets_tests.faults.proxy import BLACK_HOLE, FaultProxy
from ds_assets_tests.infra.factories import DAYS, fresh, get_rows, row, table

pytestmark = pytest.mark.server

STORED = {
    DAYS[0]: ["gone long ago"],
    DAYS[1]: ["gone", "came back"],
    DAYS[3]: ["came back", "always", "new"],
    DAYS[4]: ["came back", "always"],
}


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    lake = FolderLake(tmp_path / "lake")
    for day, users in STORED.items():
        rows = table(*(row(user, day, cluster_name=f"{user} {day}") for user in users))
        store_rows(rows, "predictions", day, lake)
    return lake


def held(cache: PredictionCache) -> dict[str, dt.date | None]:
    users = sorted({user for users in STORED.values() for user in users})
    values = get_rows(cache, users)
    assert all(
        it is None or it["cluster_name"] == f"{it['user_id']} {it['as_of']}" for it in values
    )
    return {user: it["as_of"] if it else None for user, it in zip(users, values, strict=True)}


def lose_everything(cache: PredictionCache) -> None:
    client: Any = cache._client
    for key in client.scan_iter(cache._prefix + b"*"):
        client.delete(key)


def test_a_lost_cache_is_rebuilt_with_each_users_newest_prediction_of_the_last_days(
    lake: FolderLake, redis_url: str
) -> None:
    with fresh(redis_url) as cache:
        materialize_days(list(STORED)[1:], lake, cache)
        before = held(cache)
        assert before == {
            "always": DAYS[4],
            "came back": DAYS[4],
            "gone": DAYS[1],
            "gone long ago": None,
            "new": DAYS[3],
        }
        lose_everything(cache)
        assert set(held(cache).values()) == {None}
        for lost in (True, False):
            assert rebuild(lake, cache, days_to_live=4) == {
                DAYS[4]: CachePut(2, 0),
                DAYS[3]: CachePut(1, 2),
                DAYS[1]: CachePut(1, 1),
            }, lost
            assert held(cache) == before


def test_without_predictions_there_is_nothing_to_rebuild_from(
    tmp_path: Path, redis_url: str
) -> None:
    with fresh(redis_url) as cache, pytest.raises(InputError, match=r"no predictions in .*/empty"):
        rebuild(FolderLake(tmp_path / "empty"), cache, 7)


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
