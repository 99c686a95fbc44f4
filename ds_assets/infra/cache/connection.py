"""A connection to a cache server, and what is raised when the cache cannot be used.

Belongs here: how servers are addressed, how long to wait for them, how often to ask again, and the
error that all of the cache raises. Does not belong here: what is asked of a server, and starting
one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.asyncio.sentinel
from redis.backoff import AbstractBackoff, ExponentialWithJitterBackoff, NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import SSLConnection, parse_url
from redis.exceptions import ConnectionError as NoConnection
from redis.retry import Retry
from redis.sentinel import Sentinel

from ds_assets.errors import InputError, Unavailable

Client: TypeAlias = redis.Redis | RedisCluster
LoopClient: TypeAlias = redis.asyncio.Redis
"""A client for an event loop."""

_CONNECT_SECONDS = 1
_ANSWER_SECONDS = 2
_RETRIES = 2
"""Of a connection that is lost or refused. Who does not answer in time is not asked again here:
whoever waits for the answer knows better whether to wait as long once more."""
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 0.5
_HURRIED_SECONDS = 0.5
"""For who answers a request at once: by then another source has to be asked."""
_SENTINEL_PORT, _REDIS_PORT = 26_379, 6_379


class CacheUnavailable(Unavailable):
    """The cache cannot be reached, or refuses what it is asked."""


@dataclass(frozen=True)
class CacheAddress:
    """A cache that a URL names.

    Attributes:
        name: The URL without credentials and options.
        is_cluster: Whether several servers share the keys.
        connect: Makes a client; that of a cluster asks it for its servers at once.
        connect_loop: Makes a client for an event loop; none for a cluster.
    """

    name: str
    is_cluster: bool
    connect: Callable[[], Client]
    connect_loop: Callable[[], LoopClient] | None


def read_address(url: str) -> CacheAddress:
    """Read the URL of a cache; nothing is connected.

    Accepted is what redis-py accepts, `redis://`, `rediss://` and `unix://` with options in the
    query, and in the same manner `redis+sentinel://HOST:PORT,…/SERVICE/DB` and
    `redis+cluster://HOST:PORT,…`, each also as `rediss+…://`.

    Raises:
        InputError: the URL is not one. The message does not repeat it: it may hold a password.
    """
    try:
        parts = urlsplit(url)
        return CacheAddress(
            f"{parts.scheme}://{_hosts(parts)}{parts.path}",
            parts.scheme.endswith("+cluster"),
            _connector(url, parts),
            _loop_connector(url, parts),
        )
    except (ValueError, TypeError):
        raise InputError(
            "DS_ASSETS_CACHE_URL is not a Redis URL; accepted is for example "
            "redis://user:password@host:6379/0, with options of redis-py in the query"
        ) from None


def open_socket(path: Path) -> redis.Redis:
    """A client of a server that listens on a Unix socket; it connects when it is used."""
    return redis.Redis(unix_socket_path=str(path), **_patience(NoBackoff(), 1))


def open_loop_socket(path: Path) -> LoopClient:
    """As `open_socket`, for an event loop."""
    return redis.asyncio.Redis(unix_socket_path=str(path), **_hurried())


async def close_loop_client(client: LoopClient) -> None:
    """Close a client's connections, and those to the Sentinels that it asked."""
    await client.aclose()
    pool = client.connection_pool
    if isinstance(pool, redis.asyncio.sentinel.SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _connector(url: str, parts: SplitResult) -> Callable[[], Client]:
    kind = parts.scheme.partition("+")[2]
    if kind == "sentinel":
        return _sentinel(parts)
    if kind == "cluster":
        return _cluster(parts)
    if parts.scheme != "unix":
        _options(parts, _database(parts.path))
    client = redis.Redis.from_url(url, **_patient())
    client.connection_pool.make_connection()  # refuses options that there are not
    return lambda: client


def _loop_connector(url: str, parts: SplitResult) -> Callable[[], LoopClient] | None:
    kind = parts.scheme.partition("+")[2]
    if kind == "cluster":
        return None
    if kind != "sentinel":
        return lambda: redis.asyncio.Redis.from_url(url, **_hurried())
    service, options, own = _sentinel_options(parts)

    def connect() -> LoopClient:
        sentinel = redis.asyncio.sentinel.Sentinel(  # type: ignore[no-untyped-call]
            _nodes(parts, _SENTINEL_PORT),
            sentinel_kwargs=_hurried() | _of_network(options) | own,
            **_hurried() | options,
        )
        client: LoopClient = sentinel.master_for(service)
        return client

    return connect


def _sentinel_options(parts: SplitResult) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Name of the service, options of its servers, and the Sentinels' own."""
    service, _, database = parts.path.removeprefix("/").partition("/")
    if not service:
        raise ValueError("no service")
    options = _options(parts, _database(f"/{database}"))
    own = {
        name: options.pop(f"sentinel_{name}")
        for name in ("username", "password")
        if f"sentinel_{name}" in options
    }
    _check(options)
    return service, options, own


def _of_network(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in options if name.startswith(("socket_", "ssl"))}


def _sentinel(parts: SplitResult) -> Callable[[], Client]:
    service, options, own = _sentinel_options(parts)
    # One Sentinel after the other is asked, and all of them again at each try.
    patience = _patient(retries=1)
    hurry = {"socket_timeout": _CONNECT_SECONDS, "retry": Retry(NoBackoff(), 0)}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        _nodes(parts, _SENTINEL_PORT),
        sentinel_kwargs=patience | hurry | _of_network(options) | own,
        **patience | options,
    )
    client: redis.Redis = sentinel.master_for(service)  # type: ignore[no-untyped-call]
    return lambda: client


def _cluster(parts: SplitResult) -> Callable[[], Client]:
    options = _options(parts, _database(parts.path))
    if options.pop("db"):
        raise ValueError("a cluster has one database")
    _check(options)
    nodes = [
        ClusterNode(host, port)  # type: ignore[no-untyped-call]
        for host, port in _nodes(parts, _REDIS_PORT)
    ]
    # Each try asks for the servers anew, and that of some that are gone takes its time too.
    return lambda: RedisCluster(startup_nodes=nodes, **_patient(retries=1) | options)


def _options(parts: SplitResult, database: int) -> dict[str, Any]:
    """Keyword arguments of redis-py that a URL stands for, but for its hosts."""
    scheme = parts.scheme.partition("+")[0]
    account, at, _ = parts.netloc.rpartition("@")
    one_host = f"{scheme}://{account}{at}host/{database}?{parts.query}"
    options: dict[str, Any] = parse_url(one_host)  # type: ignore[no-untyped-call]
    del options["host"]
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    _nodes(parts, _REDIS_PORT)
    return options


def _check(options: dict[str, Any]) -> None:
    """Refuse options that redis-py has not."""
    redis.Redis(**options).connection_pool.make_connection()


def _nodes(parts: SplitResult, port: int) -> list[tuple[str, int]]:
    places = [urlsplit(f"//{host}") for host in _hosts(parts).split(",")]
    if not all(place.hostname for place in places):
        raise ValueError("a host is missing")
    return [(str(place.hostname), place.port or port) for place in places]


def _hosts(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _database(path: str) -> int:
    return int(path.removeprefix("/") or 0)


def _patient(retries: int = _RETRIES) -> dict[str, Any]:
    return _patience(ExponentialWithJitterBackoff(_LONGEST_WAIT, _FIRST_WAIT), retries)


def _patience(backoff: AbstractBackoff, retries: int) -> dict[str, Any]:
    return {
        "protocol": 2,  # every server speaks it, and nothing here needs more
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_timeout": _ANSWER_SECONDS,
        "retry": Retry(backoff, retries, supported_errors=(NoConnection,)),
    }


def _hurried() -> dict[str, Any]:
    return {
        "protocol": 2,
        "socket_connect_timeout": _HURRIED_SECONDS,
        "socket_timeout": _HURRIED_SECONDS,
        # once, at once: a connection may have been closed since it was used last
        "retry": redis.asyncio.retry.Retry(NoBackoff(), 1, supported_errors=(NoConnection,)),
    }
