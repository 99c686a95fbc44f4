"""The cache during faults of the network between it and its server."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache
from ds_assets_tests.faults.proxy import (
    BLACK_HOLE,
    HALF_OPEN,
    NONE,
    REFUSED,
    UNREACHABLE,
    Bandwidth,
    Fault,
    FaultProxy,
    Latency,
    Reset,
)
from ds_assets_tests.infra.cache.redis_servers import can_write, until
from ds_assets_tests.infra.cache.timeouts import set_production_timeouts, set_timeouts
from ds_assets_tests.infra.factories import (
    DAYS,
    NO_DELIVERIES,
    fetch,
    fresh,
    get_rows,
    put,
    row,
    table,
)

pytestmark = pytest.mark.server
MANY = [f"u{n}" for n in range(2_500)]


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(urlsplit(redis_url).port or 6379) as proxy:
        yield proxy


@pytest.fixture
def cache(redis_url: str, proxy: FaultProxy) -> Iterator[PredictionCache]:
    """A cache that is reached through the proxy, and is connected."""
    with fresh(behind(proxy, redis_url)) as cache:
        cache.ping()
        yield cache


@pytest.fixture
def hasty(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that do not wait long, as nothing but time depends on it.

    They may also give up what works, on a busy machine, so that is asked until it is answered.
    """
    del patient  # which sets other timeouts before
    set_timeouts(monkeypatch, 0.2)


def behind(proxy: FaultProxy, url: str) -> str:
    return url.replace(f":{urlsplit(url).port}", f":{proxy.port}")


def can_fetch(cache: PredictionCache) -> bool:
    try:
        return fetch(cache, ["somebody"])[1] == [row("somebody")]
    except CacheUnavailable:
        return False


def put_many(cache: PredictionCache) -> CachePut:
    return put(cache, DAYS[0], table(*map(row, MANY)))


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    "fault",
    [
        BLACK_HOLE,
        UNREACHABLE,
        REFUSED,
        Reset(0),
        Reset(30_000, "up"),
        Reset(100, "up"),
        Latency(1),
    ],
)
def test_a_cache_that_cannot_be_used_says_which_and_works_again_afterwards(
    redis_url: str, proxy: FaultProxy, fault: Fault
) -> None:
    with fresh(behind(proxy, redis_url)) as cache:
        until(lambda: can_write(cache))
        proxy.fault = fault
        with pytest.raises(CacheUnavailable) as caught:
            put_many(cache)
        assert f"redis://127.0.0.1:{proxy.port}/0 (DS_ASSETS_CACHE_URL)" in str(caught.value)
        assert str(urlsplit(redis_url).password) not in str(caught.value)
        proxy.fault = fault  # of which nothing has passed yet
        with pytest.raises(CacheUnavailable) as caught:
            fetch(cache, MANY)
        assert f"redis://127.0.0.1:{proxy.port}/0 (DS_ASSETS_CACHE_URL)" in str(caught.value)
        proxy.fault = NONE
        until(lambda: can_write(cache))
        assert get_rows(cache, ["somebody"]) == [row("somebody")]
        until(lambda: can_fetch(cache))


@pytest.mark.usefixtures("hasty")
def test_a_connection_that_nobody_holds_any_more_is_left_after_one_wait(
    redis_url: str, proxy: FaultProxy
) -> None:
    with fresh(behind(proxy, redis_url)) as cache:
        until(lambda: can_write(cache))
        connections = proxy.connections
        proxy.fault = HALF_OPEN
        with pytest.raises(CacheUnavailable, match="Timeout"):
            cache.put_records([row("a")], NO_DELIVERIES)
        assert proxy.connections == connections
        until(lambda: can_write(cache))
        assert get_rows(cache, ["somebody"]) == [row("somebody")]


def test_a_connection_that_the_server_has_closed_is_not_noticed(
    cache: PredictionCache, proxy: FaultProxy
) -> None:
    proxy.fault = REFUSED
    proxy.fault = NONE
    assert put_many(cache) == CachePut(2_500, 0)


@pytest.mark.parametrize("fault", [Latency(0.1), Bandwidth(2_000_000)])
def test_a_slow_network_makes_the_cache_slow_and_nothing_else(
    cache: PredictionCache, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.fault = fault
    assert put_many(cache) == CachePut(2_500, 0)
    assert get_rows(cache, MANY[:3]) == [row(user) for user in MANY[:3]]


def test_a_connection_that_is_lost_on_the_way_is_replaced(
    cache: PredictionCache, proxy: FaultProxy
) -> None:
    proxy.fault = Reset(250_000, "up")  # enough for a call, and too little for all
    assert put_many(cache) == CachePut(2_500, 0)
    assert proxy.connections > 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", [BLACK_HOLE, UNREACHABLE])
@pytest.mark.parametrize(
    ("kind", "more"), [("redis", ""), ("redis+sentinel", "/service"), ("redis+cluster", "")]
)
def test_whoever_does_not_answer_is_given_up_in_ten_seconds(
    proxy: FaultProxy, kind: str, more: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_production_timeouts(monkeypatch)
    hosts = f"127.0.0.1:{proxy.port}" + f",127.0.0.1:{proxy.port}" * (2 if more else 0)
    proxy.fault = fault
    query = "?sentinel_password=s3cret" if more else ""
    with fresh(f"{kind}://u:s3cret@{hosts}{more}{query}") as cache:
        began = time.monotonic()
        with pytest.raises(CacheUnavailable, match="DS_ASSETS_CACHE_URL") as caught:
            put(cache, DAYS[0], table(row("a")))
        assert time.monotonic() - began < 10
    assert "s3cret" not in str(caught.value)
