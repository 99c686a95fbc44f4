"""Connecting to cache servers.

Scope: addresses, timeouts, retries, and the error that the whole cache raises. Commands are sent by
`prediction_cache.py`, and the embedded server is started by `embedded_server.py`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import SplitResult, parse_qs, urlsplit

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.asyncio.sentinel
from redis.backoff import AbstractBackoff, ExponentialWithJitterBackoff, NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.exceptions import ConnectionError as NoConnection
from redis.retry import Retry
from redis.sentinel import Sentinel

from ds_assets.errors import InputError, Unavailable
from ds_assets.infra.usable_files import refuse_no_pem

Client: TypeAlias = redis.Redis | RedisCluster
LoopClient: TypeAlias = redis.asyncio.Redis
"""A client for an asyncio event loop."""

CONNECT_TIMEOUT_S = 1.0
RESPONSE_TIMEOUT_S = 2.0
INTERACTIVE_TIMEOUT_S = 0.5
"""Both timeouts on the hot path, which then falls back to another source."""
_RETRIES = 2
"""Retries after a lost or refused connection. A timeout is not retried here: the caller decides
whether to wait as long once more."""
_MIN_BACKOFF_S, _MAX_BACKOFF_S = 0.05, 0.5
_SENTINEL_PORT, _REDIS_PORT = 26_379, 6_379
URL_OPTIONS = frozenset(
    {
        *("db", "username", "password", "sentinel_username", "sentinel_password"),
        *("client_name", "health_check_interval", "max_connections", "protocol"),
        *("socket_connect_timeout", "socket_keepalive", "socket_read_size", "socket_timeout"),
        *("ssl_ca_certs", "ssl_ca_data", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile"),
        *("ssl_check_hostname", "ssl_ciphers", "ssl_exclude_verify_flags"),
        *("ssl_include_verify_flags", "ssl_keyfile", "ssl_min_version", "ssl_password"),
    }
)
"""Options accepted in the query of a URL: names, numbers and TLS. Others of redis-py change the
bytes that are sent or read (`decode_responses`, also if it is `false`; `encoding`), or need a
Python object (`retry`, `credential_provider`), and would fail in the first command."""
_FILE_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_OPTIONS_OF_REDIS_PY = frozenset(
    name
    for part in (redis.Redis, AbstractConnection, Connection, SSLConnection)
    for name in inspect.signature(part.__init__).parameters
)


class CacheUnavailable(Unavailable):
    """The cache cannot be reached, or refuses a command."""


class CacheRefused(InputError, CacheUnavailable):
    """The cache refuses what is in its URL: the account, its password, its rights, a database."""


def find_correction(error: BaseException | None) -> str:
    """Say what to correct where the server refuses the URL, by an error of the client or its cause.

    Returns:
        A clause; empty where the URL is not at fault.
    """
    refusals = (
        redis.exceptions.AuthenticationError,
        redis.exceptions.AuthorizationError,
        redis.exceptions.NoPermissionError,
    )
    if error is None:
        return ""
    if isinstance(error, refusals):
        return "correct the user, its password or its rights"
    reason = str(error)
    if "DB index is out of range" in reason or "SELECT is not allowed" in reason:
        return "correct the number of the database at the end of the URL"
    if "Cluster mode is not enabled" in reason:
        return "it is no cluster; begin the URL with redis:// or rediss://"
    return find_correction(error.__cause__)


@dataclass(frozen=True)
class CacheAddress:
    """A cache named by a URL.

    Attributes:
        name: The URL without credentials and options.
        is_cluster: Whether it is a Redis Cluster.
        connect: Opens a client. A cluster's client connects at once to discover its nodes.
        connect_loop: Opens a client for an event loop; None for a cluster.
    """

    name: str
    is_cluster: bool
    connect: Callable[[], Client]
    connect_loop: Callable[[], LoopClient] | None


def read_address(url: str) -> CacheAddress:
    """Parse the URL of a cache without connecting.

    It accepts redis-py's `redis://`, `rediss://` and `unix://` with options in the query, and
    likewise `redis+sentinel://HOST:PORT,…/SERVICE/DB` and `redis+cluster://HOST:PORT,…`, both also
    as `rediss+…://`.

    Raises:
        InputError: the URL is not valid. The message does not repeat it, as it may contain a
            password.
    """
    try:
        parts = urlsplit(url)
        _refuse_options(parts)
        for option, paths in parse_qs(parts.query).items():
            if option in _FILE_OPTIONS:
                refuse_no_pem(Path(paths[-1]), "DS_ASSETS_CACHE_URL", option)
        return CacheAddress(
            f"{parts.scheme}://{_hosts(parts)}{parts.path}",
            parts.scheme.endswith("+cluster"),
            _connector(url, parts),
            _loop_connector(url, parts),
        )
    except (ValueError, TypeError, redis.RedisError):
        raise InputError(
            "DS_ASSETS_CACHE_URL is not a Redis URL; accepted is for example "
            "redis://user:password@host:6379/0, with options of redis-py in the query"
        ) from None


def open_socket(path: Path) -> redis.Redis:
    """Open a client of a server on a Unix socket; it connects at the first use."""
    return redis.Redis(unix_socket_path=str(path), **_batch_options(NoBackoff(), 1))


def open_loop_socket(path: Path) -> LoopClient:
    """Open a client of a server on a Unix socket for an event loop."""
    return redis.asyncio.Redis(unix_socket_path=str(path), **_interactive_options())


async def close_loop_client(client: LoopClient) -> None:
    """Close a client's connections, including those to Sentinels."""
    await client.aclose()
    pool = client.connection_pool
    if isinstance(pool, redis.asyncio.sentinel.SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _refuse_options(parts: SplitResult) -> None:
    """Name the options of redis-py that are not accepted; other names may be part of a password."""
    refused = sorted(parse_qs(parts.query).keys() & _OPTIONS_OF_REDIS_PY - URL_OPTIONS)
    if refused:
        raise InputError(
            f"DS_ASSETS_CACHE_URL must not set {', '.join(refused)} in its query: the cache's "
            "client does not work with that; remove it from the URL"
        )


def _connector(url: str, parts: SplitResult) -> Callable[[], Client]:
    kind = parts.scheme.partition("+")[2]
    if kind == "sentinel":
        return _sentinel(parts)
    if kind == "cluster":
        return _cluster(parts)
    if parts.scheme != "unix":
        _options(parts, _database(parts.path))
    client = redis.Redis.from_url(url, **_batch_options_with_backoff())
    client.connection_pool.make_connection()  # raises for unknown options
    return lambda: client


def _loop_connector(url: str, parts: SplitResult) -> Callable[[], LoopClient] | None:
    kind = parts.scheme.partition("+")[2]
    if kind == "cluster":
        return None
    if kind != "sentinel":
        return lambda: redis.asyncio.Redis.from_url(url, **_interactive_options())
    service, options, own = _sentinel_options(parts)

    def connect() -> LoopClient:
        sentinel = redis.asyncio.sentinel.Sentinel(  # type: ignore[no-untyped-call]
            _nodes(parts, _SENTINEL_PORT),
            sentinel_kwargs=_interactive_options() | _of_network(options) | own,
            **_interactive_options() | options,
        )
        client: LoopClient = sentinel.master_for(service)
        return client

    return connect


def _sentinel_options(parts: SplitResult) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the name of the service, the options of its servers, and those of the Sentinels."""
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
    # Each attempt asks all Sentinels in turn, so they get fewer retries and shorter timeouts.
    patient = _batch_options_with_backoff(retries=1)
    short = {"socket_timeout": CONNECT_TIMEOUT_S, "retry": Retry(NoBackoff(), 0)}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        _nodes(parts, _SENTINEL_PORT),
        sentinel_kwargs=patient | short | _of_network(options) | own,
        **patient | options,
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
    # Each attempt discovers the nodes again, which takes time too if some are gone.
    return lambda: RedisCluster(
        startup_nodes=nodes, **_batch_options_with_backoff(retries=1) | options
    )


def _options(parts: SplitResult, database: int) -> dict[str, Any]:
    """Return redis-py's keyword arguments for a URL, except for its hosts."""
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
    """Raise for options that redis-py does not know."""
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


def _batch_options_with_backoff(retries: int = _RETRIES) -> dict[str, Any]:
    return _batch_options(ExponentialWithJitterBackoff(_MAX_BACKOFF_S, _MIN_BACKOFF_S), retries)


def _batch_options(backoff: AbstractBackoff, retries: int) -> dict[str, Any]:
    return {
        "protocol": 2,  # every server supports it, and nothing here needs RESP3
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": RESPONSE_TIMEOUT_S,
        "retry": Retry(backoff, retries, supported_errors=(NoConnection,)),
    }


def _interactive_options() -> dict[str, Any]:
    return {
        "protocol": 2,
        "socket_connect_timeout": INTERACTIVE_TIMEOUT_S,
        "socket_timeout": INTERACTIVE_TIMEOUT_S,
        # one immediate retry: an idle connection may have been closed
        "retry": redis.asyncio.retry.Retry(NoBackoff(), 1, supported_errors=(NoConnection,)),
    }
