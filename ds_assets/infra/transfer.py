"""Moving files side by side, with a bound on what is in flight.

Scope: what both lakes and log sources need to transfer content in blocks.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], executor: Executor, ahead: int
) -> Iterator[Result]:
    """Results in the order of the items, of which at most `ahead` are taken before their turn.

    An item is taken from its iterator only when there is room: what an iterator yields is never
    collected. After an error no further item is taken, and those under way are waited for.
    """
    under_way: deque[Future[Result]] = deque()
    try:
        for item in items:
            under_way.append(executor.submit(function, item))
            if len(under_way) > ahead:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            if not future.cancel():
                future.exception()


BLOCK = 8 << 20
"""Most bytes of a content that are moved at once."""


def file_tag(stat: os.stat_result) -> str:
    """A file's tag, as an object store has it: it changes when the content does."""
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
