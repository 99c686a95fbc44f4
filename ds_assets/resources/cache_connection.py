"""A connection to a cache server, and what is raised when the cache cannot be used.

Belongs here: how a server is addressed, how long to wait for it, and the error that all of the
cache raises. Does not belong here: what is asked of the server, and starting one.
"""

from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.retry import Retry

from ds_assets.errors import InputError

_CONNECT_SECONDS = 1
_ANSWER_SECONDS = 2


class CacheUnavailable(Exception):  # noqa: N818 - it names a state, not a fault of the caller
    """The cache cannot be reached, or refuses what it is asked."""


def open_client(address: str | Path) -> redis.Redis:
    """A client of a server; nothing is connected before it is used.

    Args:
        address: Redis URL, or path of a Unix socket.

    Raises:
        InputError: the URL is not one.
    """
    options: dict[str, Any] = {
        "protocol": 2,  # every server speaks it, and nothing here needs more
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_timeout": _ANSWER_SECONDS,
        # Once more at once, for a connection that the server has closed meanwhile.
        "retry": Retry(NoBackoff(), 1, supported_errors=(NoConnection,)),
    }
    if isinstance(address, Path):
        return redis.Redis(unix_socket_path=str(address), **options)
    try:
        return redis.Redis.from_url(address, **options)
    except ValueError:
        # What it cannot read may hold a password, so it is not shown.
        raise InputError(
            "DS_ASSETS_CACHE_URL is not a Redis URL; accepted is for example "
            "redis://user:password@host:6379/0"
        ) from None
