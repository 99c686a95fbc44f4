"""Several things at once, but never more than a few: what is on its way stays bounded.

Belongs here: the one way in which files are moved side by side.
"""

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
