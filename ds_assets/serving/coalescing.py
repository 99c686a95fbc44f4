"""Questions that arrive together are asked together, and a question that is being asked is shared.

Belongs here: waiting for company. Does not belong here: what is asked, and of whom.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Coalescer(Generic[Found]):
    """Asks for many keys at once on behalf of who asks for one; for one event loop.

    While as many questions as allowed are being answered, further keys wait for the next, so that a
    busy source is asked in larger steps rather than more often.

    Args:
        load: Finds the values of keys, in their order.
        most: Keys that are asked for at once.
        at_once: Questions that may be open.
    """

    def __init__(
        self, load: Callable[[Sequence[str]], Awaitable[Sequence[Found]]], most: int, at_once: int
    ) -> None:
        self._load = load
        self._most = most
        self._free = at_once
        self._askers: dict[str, list[asyncio.Future[Found]]] = {}
        self._waiting: list[str] = []
        self._open: set[asyncio.Task[None]] = set()

    def get(self, key: str) -> "asyncio.Future[Found]":
        """The value of a key, once it is there; who cancels it does so for nobody else."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()
        if (others := self._askers.get(key)) is not None:
            others.append(future)
            return future
        self._askers[key] = [future]
        if not self._waiting and self._free:
            loop.call_soon(self._ask)
        self._waiting.append(key)
        return future

    def _ask(self) -> None:
        while self._waiting and self._free:
            keys, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._answer(keys))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _answer(self, keys: list[str]) -> None:
        try:
            found = list(zip(keys, await self._load(keys), strict=True))
        except Exception as error:  # noqa: BLE001  (whoever asked is told)
            for future in (future for key in keys for future in self._answered(key)):
                future.set_exception(error)
        else:
            for key, value in found:
                for future in self._answered(key):
                    future.set_result(value)
        self._free += 1
        self._ask()

    def _answered(self, key: str) -> "list[asyncio.Future[Found]]":
        """Who still waits for a key; from now on it is asked for anew."""
        return [future for future in self._askers.pop(key) if not future.done()]
