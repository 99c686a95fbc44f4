"""The service during faults of the network to its servers, and afterwards."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.serving.answer import Prediction
from ds_assets.serving.service import PredictionService
from ds_assets.serving.sources import REQUEST_TIMEOUT_S
from ds_assets_tests.faults.proxy import (
    BLACK_HOLE,
    HALF_OPEN,
    NONE,
    REFUSED,
    UNREACHABLE,
    Fault,
    FaultProxy,
)
from ds_assets_tests.infra.factories import DAYS, fresh, put_day, row, table
from ds_assets_tests.infra.results.databases import fresh_database
from ds_assets_tests.serving.factories import Live, serving

pytestmark = [pytest.mark.slow, pytest.mark.server]

TOLERANCE_S = 0.5
"""Seconds by which a busy machine can be late."""
RECOVERY_S = 5.0
OUTAGE_S = 6.0
STORED = [f"stored{n}" for n in range(1_000)]


@dataclass(frozen=True)
class Servers:
    """A cache and a database, each behind a proxy."""

    cache: PredictionCache
    results: ResultsDatabase
    proxies: dict[str, FaultProxy]

    def do(self, fault: Fault, what: str) -> None:
        """Inject a fault into the connections of one server, or of both."""
        for name, proxy in self.proxies.items():
            if what in {name, "both"}:
                proxy.fault = fault


@pytest.fixture
def servers(redis_url: str, mysql_url: str) -> Iterator[Servers]:
    with ExitStack() as stack:
        direct = stack.enter_context(fresh_database(mysql_url))
        proxies, urls = {}, {}
        for name, url in (("cache", redis_url), ("table", direct)):
            port = urlsplit(url).port or 0
            proxies[name] = stack.enter_context(FaultProxy(port))
            urls[name] = url.replace(f":{port}", f":{proxies[name].port}")
        cache = stack.enter_context(fresh(urls["cache"]))
        results = stack.enter_context(ResultsDatabase(urls["table"]))
        results.deliver(DAYS[1], table(*(row(user, DAYS[1]) for user in STORED)), "run")
        put_day(cache, DAYS[1], row("cached", DAYS[1]))
        yield Servers(cache, results, proxies)


@asynccontextmanager
async def running(servers: Servers) -> AsyncIterator[PredictionService]:
    """Open a service that keeps itself fresh and has answered requests."""
    live = Live(row("cached", DAYS[1]), *(row(user, DAYS[1]) for user in STORED))
    async with serving(servers.cache, servers.results, live, REQUEST_TIMEOUT_S) as service:
        fresh = asyncio.create_task(service.keep_fresh())
        assert (await timed(service, "cached"))[0].source == "cache"
        assert (await timed(service, STORED[-1]))[0].source == "table"
        yield service
        fresh.cancel()
        with suppress(asyncio.CancelledError):
            await fresh


async def timed(service: PredictionService, *users: str) -> list[Prediction]:
    """Answer a request, and check that it takes no longer than it should."""
    began = time.monotonic()
    is_single = len(users) == 1
    predictions = [await service.answer_one(users[0])] if is_single else await service.answer(users)
    assert time.monotonic() - began < REQUEST_TIMEOUT_S + TOLERANCE_S
    answers = [answer.to_prediction() for answer in predictions]
    assert [answer.user_id for answer in answers] == list(users)
    return answers


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        *itertools.product((BLACK_HOLE, UNREACHABLE), ("cache", "table", "both")),
        *itertools.product((HALF_OPEN, REFUSED), ("both",)),
    ],
)
def test_no_answer_is_late_or_wrong_and_a_source_that_recovers_is_used_again_soon(
    servers: Servers, fault: Fault, what: str
) -> None:
    others = iter(STORED)

    async def run() -> None:
        async with running(servers) as service:
            servers.do(fault, what)
            over = time.monotonic() + OUTAGE_S
            while time.monotonic() < over:
                ids = ["cached", next(others), next(others), "nobody"]
                single = await asyncio.gather(*(timed(service, user) for user in ids))
                for predictions in (
                    await timed(service, *ids),
                    [prediction for (prediction,) in single],
                ):
                    statuses = [prediction.status for prediction in predictions[:3]]
                    assert statuses == ["ok"] * 3
                    assert predictions[3].status in {"unknown_user", "not_enough_data"}
                await asyncio.sleep(0.05)
            servers.do(NONE, what)
            over = time.monotonic() + RECOVERY_S
            wanted = {"cached": "cache", "stored": "table"}
            while time.monotonic() < over and wanted:
                for kind, source in list(wanted.items()):
                    (found_one,) = await timed(
                        service, "cached" if kind == "cached" else next(others)
                    )
                    if found_one.source == source:
                        del wanted[kind]
                await asyncio.sleep(0.05)
            assert wanted == {}
            await service.refresh()
            assert service.health().degraded == ()

    asyncio.run(run())
