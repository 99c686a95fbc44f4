"""Transferring files in blocks, with bounds on memory and on waiting.

Scope: what lakes and log sources share.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from http import HTTPStatus
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BLOCK = 8 << 20
"""Maximum bytes of a file that are transferred at once."""
CONNECT_TIMEOUT_S = 4
READ_TIMEOUT_S = 7
"""Limits for one attempt of a request to an object store. With `MAX_ATTEMPTS`, a step and its
retry fail within a minute when a server does not answer; the clients' own defaults wait longer
than that for one request."""
MAX_ATTEMPTS = 2


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], executor: Executor, ahead: int
) -> Iterator[Result]:
    """Apply a function in parallel, yielding results in the order of the items.

    Items are consumed lazily, at most `ahead` beyond the result that is due, so that a generator's
    items are never all in memory. After an error no further item is consumed, and calls in progress
    are waited for.

    Args:
        function: Runs in the executor.
        items: Its arguments.
        executor: Runs the calls.
        ahead: Maximum number of items consumed before their result is due.
    """
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            if not future.cancel():
                future.exception()


def is_temporary(status: int) -> bool:
    """Whether an object store that answers with a status may answer otherwise a moment later."""
    limits = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in limits


def file_tag(stat: os.stat_result) -> str:
    """Return a file's counterpart of an object store's ETag: it changes when the content does."""
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
