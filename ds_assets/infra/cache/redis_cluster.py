"""Asking many things of a Redis Cluster at once.

Belongs here: which server is asked what, and what happens when a slot or a server has moved.
redis-py's own pipeline of a cluster is not used: where a server does not answer, it sends each of
its commands once more alone, and waits for each.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

import redis
from redis.cluster import RedisCluster
from redis.exceptions import AskError, MovedError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

Command: TypeAlias = tuple[bytes, tuple[Any, ...]]
"""A key of the slot that a command is for, and the command."""

_ELSEWHERE = (MovedError, AskError, TryAgainError)


def ask_cluster(client: RedisCluster, commands: Sequence[Command]) -> list[Any]:
    """Send commands to the servers that have their slots, and return the answers in their order.

    A command may come twice, if a server is lost meanwhile.

    Raises:
        redis.exceptions.RedisError: a server refuses a command, or does not answer.
    """
    try:
        return _ask(client, commands)
    except (NoConnection, NoAnswer) as error:
        client.nodes_manager.initialize()  # another may have its slots now
        if isinstance(error, NoAnswer):
            raise  # who waited that long decides whether to wait again
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
            found = pipeline.execute(raise_on_error=False)
        for place, answer in zip(places, found, strict=True):
            answers[place] = _followed(client, commands[place], answer)
    return answers


def _followed(client: RedisCluster, command: Command, answer: Any) -> Any:
    """An answer; that of the server to which a slot moves, if that was it."""
    if isinstance(answer, _ELSEWHERE):
        return client.execute_command(*command[1])  # type: ignore[no-untyped-call]
    if isinstance(answer, ResponseError):
        raise answer
    return answer
