"""Calls to a dependency of the service: bounded in time, and skipped while it is down.

Scope: timeouts and circuit breakers. Which dependencies there are is in `sources.py`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ds_assets.errors import Unavailable
from ds_assets.serving.health import BreakerState

Result = TypeVar("Result")

MAX_FAILURES = 3
"""Consecutive failures after which a circuit opens."""
RESET_TIMEOUT_S = 2.0
"""Seconds for which an open circuit lets no call through."""
_LATE_S = 0.02
"""A timeout that is noticed this late means that this process is busy, not that a dependency is
down."""

_log = logging.getLogger(__name__)


class DependencyUnavailable(Unavailable):
    """A dependency did not answer, or is not called because its circuit is open."""


class CircuitBreaker:
    """Opens after consecutive failures, and lets calls through again after a while.

    Args:
        clock: Seconds of a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None

    @property
    def state(self) -> BreakerState:
        """`closed`: calls go through; `open`: none does; `half-open`: calls are tried again."""
        if self._opened_at is None:
            return "closed"
        is_over = self._clock() - self._opened_at >= RESET_TIMEOUT_S
        return "half-open" if is_over else "open"

    @property
    def is_healthy(self) -> bool:
        """Whether the last call succeeded."""
        return not self._failures

    def record_success(self) -> None:
        """Close the circuit. A call from before it opened, which answers late, does not."""
        if self.state != "open":
            self._failures, self._opened_at = 0, None

    def record_failure(self) -> None:
        """Count a failure, and open the circuit if there were too many."""
        if self.state != "open":
            self._failures += 1
            if self._failures >= MAX_FAILURES:
                self._opened_at = self._clock()


class Dependency:
    """A system that answers rest on, with a timeout and a circuit breaker.

    Args:
        name: Its name in log messages.
        errors: What it raises when it cannot be used.
        timeout: Seconds to wait for a result.

    Attributes:
        breaker: Its circuit breaker.
        is_foreign: Whether it holds another installation's predictions, and is not called.
    """

    def __init__(self, name: str, errors: tuple[type[Exception], ...], timeout: float) -> None:
        self._name, self._timeout = name, timeout
        self._errors: tuple[type[Exception], ...] = (TimeoutError, *errors)
        self.breaker = CircuitBreaker()
        self.is_foreign = False

    @property
    def is_healthy(self) -> bool:
        """Whether it may be called, and the last call succeeded."""
        return self.breaker.is_healthy and not self.is_foreign

    async def call(self, call: Awaitable[Result]) -> Result:
        """Await a call. If the caller is cancelled, that says nothing about the dependency.

        Args:
            call: The call; a coroutine is closed without being run while the circuit is open.

        Raises:
            DependencyUnavailable: it failed, timed out, or was not made.
        """
        if self.is_foreign or self.breaker.state == "open":
            if asyncio.iscoroutine(call):
                call.close()
            pause = "" if self.is_foreign else f" for {RESET_TIMEOUT_S} s"
            raise DependencyUnavailable(f"the {self._name} is not called{pause}")
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._timeout
        try:
            async with asyncio.timeout_at(deadline):
                result = await call
        except self._errors as error:
            if clock() < deadline + _LATE_S:  # otherwise the result may have come unnoticed
                self.breaker.record_failure()
            reason = str(error) or "timed out"
            _log.warning("%s unavailable; answering without it: %s", self._name, reason)
            raise DependencyUnavailable(f"the {self._name} is unavailable") from error
        if not self.breaker.is_healthy:
            self.breaker.record_success()
        return result
