"""A part that answers rest on: asked within a time, and left alone for a while when it is down.

Belongs here: bounds and circuit breakers. Does not belong here: what is asked.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Awaitable
from contextlib import suppress
from typing import TypeVar

from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitMemoryStorage,
)

from ds_assets.errors import InputError, Unavailable
from ds_assets.serving.health import Breaker

Answer = TypeVar("Answer")

FAILURES = 3
"""Failures one after the other, after which a part is down."""
_LATE_SECONDS = 0.02
"""An end of waiting that is noticed so late says that this process is busy, not that a part is
down."""
REST_SECONDS = 2
"""A part that is down is tried again after this time; so it is used again soon after it is back."""

_log = logging.getLogger(__name__)


class PartDown(Unavailable):
    """A part does not answer, or has not for a while and is not asked now."""


class Part:
    """One part.

    Args:
        name: Its name in logs.
        faults: What it raises when it cannot be used.
        within: Seconds to wait for an answer at most.
    """

    def __init__(self, name: str, faults: tuple[type[Exception], ...], within: float) -> None:
        self._name, self._within = name, within
        self._faults: tuple[type[Exception], ...] = (TimeoutError, *faults)
        self._memory = CircuitMemoryStorage(STATE_CLOSED)
        self._breaker = CircuitBreaker(
            fail_max=FAILURES,
            reset_timeout=REST_SECONDS,
            exclude=[InputError],  # the caller's mistake says nothing about the part
            state_storage=self._memory,
        )

    @property
    def is_up(self) -> bool:
        """Whether it answered when it was asked last."""
        return self._memory.state == STATE_CLOSED and not self._memory.counter

    @property
    def state(self) -> Breaker:
        """`closed`: it is asked; `open`: it is not asked for a while; `half-open`: it is tried."""
        opened_at = self._memory.opened_at
        if self._memory.state == STATE_CLOSED or opened_at is None:
            return "closed"
        rested = dt.datetime.now(dt.UTC) - opened_at >= dt.timedelta(seconds=REST_SECONDS)
        return "half-open" if rested else "open"

    async def ask(self, question: Awaitable[Answer]) -> Answer:
        """Wait for its answer. Who stops waiting, or is late, says nothing about the part.

        Args:
            question: What is asked; it is closed without being asked while the part is down.

        Raises:
            PartDown: it does not answer in time, cannot be used, or is not asked.
        """
        if self.state == STATE_OPEN:
            if asyncio.iscoroutine(question):
                question.close()
            raise PartDown(f"the {self._name} is not asked for {REST_SECONDS} s")
        clock = asyncio.get_running_loop().time
        ends = clock() + self._within
        try:
            async with asyncio.timeout_at(ends):
                answer = await question
        except self._faults as error:
            if clock() < ends + _LATE_SECONDS:  # else the answer may have come, and nobody looked
                self._count(error)
            _log.warning("an answer does without the %s: %s", self._name, str(error) or "no answer")
            raise PartDown(f"the {self._name} does not answer") from error
        if not self.is_up:  # else the breaker would learn nothing, and take its time
            self._count(None)
        return answer

    def _count(self, error: Exception | None) -> None:
        """Tell the breaker how a question ended, once it has; one that was cancelled never does."""

        def end() -> None:
            if error is not None:
                raise error

        with suppress(CircuitBreakerError, *self._faults):
            self._breaker.call(end)
