"""Questions that come while others are answered, answered together by one call.

A call for many costs little more than one for few. So while one is made, what comes waits, and the
next call takes all of it: nobody waits for others who have not come yet.

Belongs here: who waits, and for which call. Does not belong here: what is asked. Questions that may
be the same are `coalescing.py`'s.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ds_assets.errors import InputError

Question = TypeVar("Question")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class _Asker(Generic[Question, Found]):
    questions: Sequence[Question]
    future: "asyncio.Future[Sequence[Found]]"

    def is_answered(self, answers: Sequence[Found]) -> None:
        if not self.future.done():
            self.future.set_result(answers)

    def is_told(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class Batcher(Generic[Question, Found]):
    """Answers questions, one call at a time.

    Args:
        call: Finds the answers to questions, in their order.
        most: Questions of a call; only who asks more alone gets more.
    """

    def __init__(
        self, call: Callable[[Sequence[Question]], Awaitable[Sequence[Found]]], most: int
    ) -> None:
        self._call = call
        self._most = most
        self._waiting: deque[_Asker[Question, Found]] = deque()
        self._working: asyncio.Task[None] | None = None

    def ask(self, questions: Sequence[Question]) -> "asyncio.Future[Sequence[Found]]":
        """The answers, once they are there; who cancels it does so for nobody else."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[Found]] = loop.create_future()
        self._waiting.append(_Asker(questions, future))
        if self._working is None:
            self._working = loop.create_task(self._work())
        return future

    async def _work(self) -> None:
        while askers := self._next():
            await self._answer(askers)
        self._working = None

    def _next(self) -> list[_Asker[Question, Found]]:
        """Those who wait, as many as go into a call, without who has gone away."""
        askers: list[_Asker[Question, Found]] = []
        free = self._most
        while self._waiting and (not askers or len(self._waiting[0].questions) <= free):
            asker = self._waiting.popleft()
            if not asker.future.done():
                askers.append(asker)
                free -= len(asker.questions)
        return askers

    async def _answer(self, askers: list[_Asker[Question, Found]]) -> None:
        try:
            found = await self._call([one for asker in askers for one in asker.questions])
        except Exception as error:  # noqa: BLE001  (whoever asked is told)
            if isinstance(error, InputError) and len(askers) > 1:
                for asker in askers:  # the mistake of one is nobody else's
                    await self._answer([asker])
            for asker in askers:
                asker.is_told(error)
        else:
            begin = 0
            for asker in askers:
                end = begin + len(asker.questions)
                asker.is_answered(found[begin:end])
                begin = end
