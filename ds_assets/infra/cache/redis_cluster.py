"""Pipelining commands to a Redis Cluster.

Scope: grouping commands by server, and following slots and servers that moved. redis-py's own
cluster pipeline is not used because it repeats each command of a server that does not respond
separately, and waits for each one.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

import redis
from redis.cluster import RedisCluster
from redis.exceptions import AskError, MovedError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoResponse

Command: TypeAlias = tuple[bytes, tuple[Any, ...]]
"""A key of the slot of a command, and the command."""

_MOVED = (MovedError, AskError, TryAgainError)


def ask_cluster(client: RedisCluster, commands: Sequence[Command]) -> list[Any]:
    """Send commands to the servers of their slots, and return the replies in the same order.

    A command may be executed twice if a server fails meanwhile, so commands must be idempotent.

    Raises:
        redis.exceptions.RedisError: a server refuses a command, or does not respond.
    """
    try:
        return _ask(client, commands)
    except (NoConnection, NoResponse) as error:
        client.nodes_manager.initialize()  # its slots may have moved to another server
        if isinstance(error, NoResponse):
            raise  # the caller decides whether to wait as long once more
        return _ask(client, commands)


def _ask(client: RedisCluster, commands: Sequence[Command]) -> list[Any]:
    answers: list[Any] = [None] * len(commands)
    by_server: dict[Any, list[int]] = defaultdict(list)
    for place, (key, _) in enumerate(commands):
        node = client.get_node_from_key(key)  # type: ignore[no-untyped-call]
        by_server[node].append(place)
    for node, places in by_server.items():
        server: redis.Redis = client.get_redis_connection(node)
        with server.pipeline(transaction=False) as pipeline:
            for place in places:
                pipeline.execute_command(*commands[place][1])  # type: ignore[no-untyped-call]
            replies = pipeline.execute(raise_on_error=False)
        for place, reply in zip(places, replies, strict=True):
            answers[place] = _follow(client, commands[place], reply)
    return answers


def _follow(client: RedisCluster, command: Command, answer: Any) -> Any:
    """Return a reply, or that of another server if the slot has moved."""
    if isinstance(answer, _MOVED):
        return client.execute_command(*command[1])  # type: ignore[no-untyped-call]
    if isinstance(answer, ResponseError):
        raise answer
    return answer
