"""A service answers from no store whose rows are another lake's, and says so."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.serving import ownership
from ds_assets_tests.infra.factories import (
    DAYS,
    embedded_server,
    fetch,
    fresh,
    put_day,
    row,
    table,
)
from ds_assets_tests.serving.factories import Live, ask, serving

OWN, OTHER = "own lake", "other lake"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[PredictionCache]:
    with embedded_server(tmp_path / "cache") as folder, fresh(folder) as cache:
        put_day(cache, DAYS[1], row("cached", DAYS[1]))
        yield cache


@pytest.fixture
def results(results: ResultsDatabase) -> ResultsDatabase:
    results.deliver(DAYS[1], table(row("stored", DAYS[1])), "run")
    return results


def live_model() -> Live:
    """A live model of the own lake."""
    live = Live(row("scored", DAYS[0]))
    live.lake = OWN
    return live


def claim(cache: PredictionCache, results: ResultsDatabase, lake: str) -> None:
    cache.claim(lake, is_taking_over=True)
    results.claim(lake, is_taking_over=True)


async def sources(*users: str, service: object) -> list[str]:
    return [prediction.source for prediction in await ask(service, *users)]  # type: ignore[arg-type]


def test_stores_of_the_own_lake_are_used(cache: PredictionCache, results: ResultsDatabase) -> None:
    claim(cache, results, OWN)

    async def run() -> None:
        async with serving(cache, results, live_model()) as service:
            await service.refresh()
            assert await sources("cached", "stored", service=service) == ["cache", "table"]
            health = service.health()
            assert (health.foreign, health.degraded, health.as_of) == ((), (), DAYS[1])

    asyncio.run(run())


def test_predictions_of_another_lake_are_not_served_and_the_own_ones_not_stored_beside_them(
    cache: PredictionCache, results: ResultsDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    claim(cache, results, OTHER)

    async def run() -> None:
        async with serving(cache, results, live_model()) as service:
            await service.refresh()
            users = ("cached", "stored", "scored")
            assert await sources(*users, service=service) == ["default", "default", "live"]
            health = service.health()
            assert health.foreign == health.degraded == ("cache", "table")
            assert health.as_of is None

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert caplog.text.count("with another lake: set DS_ASSETS_INSTALLATION") == 2
    assert fetch(cache, ["scored"])[1] == [None]


def test_a_store_that_another_lake_takes_over_is_left_and_used_again_when_it_is_given_back(
    cache: PredictionCache, results: ResultsDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "CHECK_INTERVAL_S", 0.0)
    claim(cache, results, OWN)

    async def run() -> None:
        async with serving(cache, results, live_model()) as service:
            for lake, expected in ((OWN, "table"), (OTHER, "default"), (OWN, "cache")):
                claim(cache, results, lake)
                await service.refresh()
                assert await sources("stored", service=service) == [expected]
                assert (service.health().as_of is None) is (lake == OTHER)

    asyncio.run(run())


def test_without_an_id_of_the_lake_the_name_alone_counts(
    cache: PredictionCache, results: ResultsDatabase
) -> None:
    claim(cache, results, OTHER)

    async def run() -> None:
        async with serving(cache, results, Live()) as service:
            await service.refresh()
            assert await sources("cached", "stored", service=service) == ["cache", "table"]
            assert service.health().foreign == ()

    asyncio.run(run())
