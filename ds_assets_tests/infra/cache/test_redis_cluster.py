"""A cluster whose slots move and whose servers fall silent."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache
from ds_assets.local_servers.redis import RedisServer
from ds_assets_tests.infra.cache.conftest import PATIENT
from ds_assets_tests.infra.cache.redis_servers import (
    PASSWORD,
    can_write,
    client_of,
    redis_cluster,
    until,
)
from ds_assets_tests.infra.cache.timeouts import set_timeouts
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
MANY = [f"u{n}" for n in range(2_000)]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture
def cache(servers: list[RedisServer]) -> Iterator[PredictionCache]:
    with fresh(cluster_url(servers)) as cache:
        yield cache


def cluster_url(servers: list[RedisServer]) -> str:
    return f"redis+cluster://:{PASSWORD}@127.0.0.1:{servers[0].port}"


def put_many(cache: PredictionCache, day: int = 0) -> CachePut:
    return put(cache, DAYS[day], table(*(row(user, DAYS[day]) for user in MANY)))


def test_users_lie_on_every_server(cache: PredictionCache, servers: list[RedisServer]) -> None:
    before = sizes(servers)
    put_many(cache)
    assert all(after - size > 300 for size, after in zip(before, sizes(servers), strict=True))


def sizes(servers: list[RedisServer]) -> list[int]:
    member_sizes = []
    for server in servers:
        with client_of(server) as client:
            member_sizes.append(client.dbsize())
    return member_sizes


def test_a_slot_that_moves_is_followed(cache: PredictionCache, servers: list[RedisServer]) -> None:
    put_many(cache)
    client: Any = cache._client
    first = MANY[0]
    key = cache._key(first.encode())
    slot, owner = client.keyslot(key), client.get_node_from_key(key)
    shard = key.partition(b"}")[0]
    others = [f"new{n}" for n in range(5_000)]
    newcomer = next(it for it in others if cache._key(it.encode()).startswith(shard + b"}"))
    ports = sorted(server.port for server in servers if server.port != owner.port)
    ends = {server.port: client_of(server) for server in servers}
    source, target = ends[owner.port], ends[ports[0]]
    names = {end: end.execute_command("CLUSTER MYID") for end in (source, target)}

    target.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[source])
    source.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[target])
    assert get_rows(cache, [newcomer]) == [None]
    assert cache.put_records([row(newcomer)], NO_DELIVERIES) == CachePut(1, 0)
    assert get_rows(cache, [newcomer]) == [row(newcomer)]
    assert get_rows(cache, [first]) == [row(first)]

    moving = source.execute_command("CLUSTER GETKEYSINSLOT", slot, 10_000)
    keys = ("KEYS", *moving)
    source.execute_command("MIGRATE", "127.0.0.1", ports[0], "", 0, 5_000, "AUTH", PASSWORD, *keys)
    for end in (target, source):
        end.execute_command("CLUSTER SETSLOT", slot, "NODE", names[target])
    assert put_many(cache, 1) == CachePut(2_000, 0)
    assert get_rows(cache, [*MANY, newcomer]) == [
        *(row(user, DAYS[1]) for user in MANY),
        row(newcomer),
    ]
    for end in ends.values():
        end.close()


@pytest.mark.parametrize("number", [0, 2])
def test_a_server_that_does_not_answer_is_waited_for_once(
    cache: PredictionCache,
    servers: list[RedisServer],
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with client_of(servers[number]) as client:
        process = int(client.info("server")["process_id"])
    set_timeouts(monkeypatch, 0.5)
    until(lambda: can_write(cache))
    os.kill(process, signal.SIGSTOP)
    try:
        for question in (lambda: put_many(cache), lambda: fetch(cache, MANY)):
            began = time.monotonic()
            with pytest.raises(CacheUnavailable, match="Timeout"):
                question()
            # Its slots have some 85 shards: waiting for each would take 40 s.
            assert time.monotonic() - began < 20
    finally:
        os.kill(process, signal.SIGCONT)
    until(lambda: can_write(cache))
    set_timeouts(monkeypatch, PATIENT)
    with PredictionCache(cluster_url(servers), "patient", 7) as patient:
        assert put_many(patient) == CachePut(2_000, 0)
