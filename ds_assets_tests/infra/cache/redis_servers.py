"""Redis as it is run where it must not fail: as a cluster, and with Sentinels."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.local_servers.install import path_of
from ds_assets.local_servers.process import ServerProcess, accepts, free_port
from ds_assets.local_servers.redis import RedisServer
from ds_assets_tests.infra.factories import DAYS, put, row, table

PASSWORD = secrets.token_hex(16)
"""Of all these servers."""
SERVICE = "predictions"
_SLOTS = 16_384
_SERVERS = 3


@dataclass(frozen=True)
class Watched:
    """A master and its replica, watched by a Sentinel."""

    url: str
    master: RedisServer
    replica: RedisServer
    sentinel: Any
    """A client of the Sentinel."""

    def master_port(self) -> int:
        """Port of the server that the Sentinel takes for the master."""
        return int(self.sentinel.sentinel_get_master_addr_by_name(SERVICE)[1])


def client_of(server: RedisServer) -> Any:
    """An administrator's client."""
    return redis.Redis(port=server.port, password=PASSWORD, decode_responses=True)


@contextmanager
def redis_cluster(folder: Path) -> Iterator[list[RedisServer]]:
    """Three masters that share the slots. Yields them."""
    with ExitStack() as stack:
        buses = [free_port() for _ in range(_SERVERS)]
        servers = [
            stack.enter_context(RedisServer(folder / str(bus), _cluster_lines(bus)))
            for bus in buses
        ]
        clients = [stack.enter_context(client_of(server)) for server in servers]
        for number, client in enumerate(clients):
            first, end = (_SLOTS * part // _SERVERS for part in (number, number + 1))
            client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
            meet = ("CLUSTER MEET", "127.0.0.1", servers[0].port, buses[0])
            client.execute_command(*meet) if number else None
        until(lambda: all(_knows_all(client) for client in clients))
        yield servers


@contextmanager
def watched_by_sentinel(folder: Path) -> Iterator[Watched]:
    """A master with a replica, and a Sentinel that makes the replica master when it must."""
    with ExitStack() as stack:
        same = (f"requirepass {PASSWORD}", f"masterauth {PASSWORD}", "repl-diskless-sync-delay 0")
        master = stack.enter_context(RedisServer(folder / "master", same))
        follows = f"replicaof 127.0.0.1 {master.port}"
        replica = stack.enter_context(RedisServer(folder / "replica", [*same, follows]))
        port = free_port()
        stack.enter_context(_sentinel(folder / "sentinel", port, master))
        sentinel = stack.enter_context(redis.Redis(port=port, decode_responses=True))
        with client_of(replica) as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
        until(lambda: len(sentinel.sentinel_slaves(SERVICE)) == 1)
        url = f"redis+sentinel://:{PASSWORD}@127.0.0.1:1,127.0.0.1:{port}/{SERVICE}/0"
        yield Watched(url, master, replica, sentinel)


def can_write(cache: PredictionCache) -> bool:
    """Whether a cache takes a prediction, for a user called somebody."""
    try:
        put(cache, DAYS[0], table(row("somebody")))
    except CacheUnavailable:
        return False
    return True


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    while not holds():
        time.sleep(0.02)


def _cluster_lines(bus: int) -> list[str]:
    return [f"requirepass {PASSWORD}", "cluster-enabled yes", f"cluster-port {bus}"]


def _knows_all(client: Any) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == _SERVERS


def _sentinel(folder: Path, port: int, master: RedisServer) -> ServerProcess:
    folder.mkdir()
    settings = folder / "sentinel.conf"
    settings.write_text(
        f"bind 127.0.0.1\nport {port}\ndir {folder}\n"
        f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 1\n"
        f"sentinel auth-pass {SERVICE} {PASSWORD}\n"
        f"sentinel down-after-milliseconds {SERVICE} 500\n"
    )
    command = [path_of("redis-server"), str(settings), "--sentinel"]
    return ServerProcess(command, folder / "log.txt", lambda: accepts(port))
