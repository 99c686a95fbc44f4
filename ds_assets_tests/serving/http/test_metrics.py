import asyncio
import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ds_assets.serving.health import Counts, Health
from ds_assets.serving.http.metrics import BOUNDS, RequestMetrics, Snapshot, render_metrics
from ds_assets.serving.http.workers import Workers


def snapshot(figures: RequestMetrics | None = None, health: Health | None = None) -> Snapshot:
    counts = Counts({"cache": 7, "live": 2}, cache_hits=7, cache_misses=2)
    return Snapshot(figures or RequestMetrics(), 3, counts, health or Health())


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Values by the name of the sample and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status() -> None:
    figures = RequestMetrics()
    for status in (200, 200, 404):
        figures.record("/a", status, 0.001)
    figures.record("/b", 200, 0.001)
    metrics = samples(render_metrics({"1": snapshot(figures)}))
    name = "ds_assets_http_requests_total"
    assert [metrics[name, *labels, "1"] for labels in (("/a", "200"), ("/a", "404"))] == [2, 1]
    assert metrics[name, "/b", "200", "1"] == 1


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0.0, "0.0005"), (0.0005, "0.0005"), (0.0006, "0.001"), (99, "+Inf")]
)
def test_the_time_of_a_request_lies_in_the_bucket_of_its_bound(seconds: float, bound: str) -> None:
    figures = RequestMetrics()
    figures.record("/a", 200, seconds)
    metrics = samples(render_metrics({"1": snapshot(figures)}))
    name = "ds_assets_http_request_seconds"
    bounds = [*map(str, BOUNDS), "+Inf"]
    counted = [metrics[f"{name}_bucket", bound, "/a", "1"] for bound in bounds]
    assert counted == [float(bounds.index(limit) >= bounds.index(bound)) for limit in bounds]
    assert metrics[f"{name}_sum", "/a", "1"] == seconds
    assert metrics[f"{name}_count", "/a", "1"] == 1


def test_answers_and_health_are_exposed() -> None:
    health = Health(("table",), None, 60, {"churn": "v1"}, {"table": "open", "cache": "closed"})
    metrics = samples(render_metrics({"8": snapshot(health=health)}))
    assert metrics["ds_assets_answers_total", "live", "8"] == 2
    assert metrics["ds_assets_cache_hits_total", "8"] == 7
    assert metrics["ds_assets_cache_misses_total", "8"] == 2
    assert metrics["ds_assets_http_requests_at_once", "8"] == 3
    assert metrics["ds_assets_breaker_state", "table", "open", "8"] == 1
    assert metrics["ds_assets_breaker_state", "table", "closed", "8"] == 0
    assert metrics["ds_assets_degraded", "table", "8"] == 1
    assert metrics["ds_assets_data_age_seconds", "8"] == 60
    assert metrics["ds_assets_model_info", "churn", "v1", "8"] == 1


def test_without_data_there_is_no_age() -> None:
    assert b"ds_assets_data_age_seconds{" not in render_metrics({"8": snapshot()})


def test_a_worker_reports_all_that_are_alive(tmp_path: Path) -> None:
    own = Workers(tmp_path, snapshot)
    draft = tmp_path / f"{os.getppid()}.json"

    async def left() -> None:
        publishing = asyncio.create_task(Workers(tmp_path, snapshot).publish())
        await asyncio.sleep(0)
        publishing.cancel()

    asyncio.run(left())
    (tmp_path / f"{os.getpid()}.json").rename(draft)
    dead = tmp_path / "4194304.json"  # above every process number
    dead.write_bytes(draft.read_bytes())
    assert own.snapshots() == {str(os.getppid()): snapshot(), str(os.getpid()): snapshot()}


def test_a_single_worker_writes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(Workers(None, snapshot).publish())
    assert Workers(None, snapshot).snapshots() == {str(os.getpid()): snapshot()}
    assert not list(tmp_path.iterdir())
