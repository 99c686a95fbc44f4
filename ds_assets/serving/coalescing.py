"""Request coalescing: one call loads what many requests are waiting for.

A call for many items costs little more than a call for one. While as many calls as allowed are
under way, further items wait and then go together, so that a busy source gets larger calls rather
than more of them; nothing waits for company that has not come yet, unless an interval between calls
is set, for a source that keeps something of every call.

Scope: batching, sharing and bounded concurrency. What is loaded, and from where, is the caller's.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)
Result = TypeVar("Result")


class Coalescer(Generic[Item, Result]):
    """Loads items in batches, for one event loop. Equal items that wait together are loaded once.

    Args:
        load: Loads the results of items, in their order. A result that is an exception is raised
            for those who wait for that item only.
        max_size: Maximum size of a batch; an item that is larger goes alone.
        max_calls: Maximum number of calls under way.
        interval: Seconds from the start of a call to that of the next one, if the call takes all
            items that wait.
    """

    def __init__(
        self,
        load: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        max_size: int,
        max_calls: int,
        interval: float = 0.0,
    ) -> None:
        self._load = load
        self._max_size = max_size
        self._free_calls = max_calls
        self._interval = interval
        self._due = 0.0
        self._waiters: dict[Item, list[asyncio.Future[Result]]] = {}
        self._queue: deque[tuple[Item, int]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    def get(self, item: Item, size: int = 1) -> "asyncio.Future[Result]":
        """Get the future result of an item; to cancel it cancels nobody else's.

        Args:
            item: What to load.
            size: How much it counts towards the size of a batch.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if (waiters := self._waiters.get(item)) is not None:
            waiters.append(future)
            return future
        self._waiters[item] = [future]
        if not self._queue and self._free_calls:
            loop.call_soon(self._start_calls)
        self._queue.append((item, size))
        return future

    def _start_calls(self) -> None:
        loop = asyncio.get_running_loop()
        while self._free_calls and self._is_due(loop) and (batch := self._next_batch()):
            if not self._queue:
                self._due = loop.time() + self._interval
            self._free_calls -= 1
            task = loop.create_task(self._call(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _is_due(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the interval is over; if it is not, calls start when it is."""
        remaining = self._due - loop.time()
        if remaining > 0 and self._queue:
            loop.call_later(remaining, self._start_calls)
        return remaining <= 0

    def _next_batch(self) -> list[Item]:
        """Take waiting items off the queue; those that nobody waits for any more are dropped."""
        batch: list[Item] = []
        room, queue = self._max_size, self._queue
        while queue and (queue[0][1] <= room or not batch):
            item, size = queue.popleft()
            if all(future.done() for future in self._waiters[item]):
                del self._waiters[item]
            else:
                batch.append(item)
                room -= size
        return batch

    async def _call(self, batch: list[Item]) -> None:
        try:
            results = list(zip(batch, await self._load(batch), strict=True))
        except Exception as error:  # noqa: BLE001  (raised to whoever waits)
            results = [(item, error) for item in batch]
        for item, result in results:
            self._resolve(item, result)
        self._free_calls += 1
        self._start_calls()

    def _resolve(self, item: Item, result: Result | Exception) -> None:
        """Pass a result on; from now on the item is loaded again."""
        for future in self._waiters.pop(item):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
