"""The prediction service for callers without an event loop, such as a job or a Django project.

Scope: an event loop in a thread of its own.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from ds_assets.serving.answer import Prediction
from ds_assets.serving.health import Health
from ds_assets.serving.service import PredictionService

Result = TypeVar("Result")


class BlockingService:
    """Answers what is predicted for users. Threads can share it.

    Args:
        service: The prediction service.
        loop: An event loop that only the service uses.
    """

    def __init__(self, service: PredictionService, loop: "_Loop") -> None:
        self._service, self._loop = service, loop

    def answer(self, user_ids: Sequence[str]) -> list[Prediction]:
        """Answer what is predicted for each of these users, in their order.

        Args:
            user_ids: Up to 1,000, each of 1 to 191 characters; an id may be repeated.

        Raises:
            InputError: the ids exceed these limits.
            RuntimeError: the service is closed, or was opened before this process was forked.
        """
        answers = self._loop.submit(self._service.answer(user_ids)).result()
        return [answer.to_prediction() for answer in answers]

    def health(self) -> Health:
        """State of the service and its dependencies."""
        return self._service.health()


@contextmanager
def blocking(service: PredictionService) -> Iterator[BlockingService]:
    """Run a service while the context lasts; requests in flight at its end are still answered.

    A process forked meanwhile does not inherit the thread: it cannot use the service, and its exit
    closes nothing that belongs to its parent.
    """
    loop = _Loop()
    try:
        loop.submit(service.refresh()).result()
        refreshing = loop.submit(service.keep_fresh())
        try:
            yield BlockingService(service, loop)
        finally:
            refreshing.cancel()
    finally:
        loop.close(service.close())


class _Loop:
    """An event loop in a thread of its own, which accepts work from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="ds-assets-answers", daemon=True
        )
        self._lock = threading.Lock()
        self._is_closing = False
        self._pending: set[Future[Any]] = set()
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Submit work.

        Raises:
            RuntimeError: the loop does not run any more, or not in this process.
        """
        if not self._thread.is_alive():  # checked first: a fork may have copied a held lock
            work.close()
            raise RuntimeError(
                "the service is closed, or was opened before this process was forked"
            )
        with self._lock:
            if self._is_closing:
                work.close()
                raise RuntimeError("the service is being closed")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Wait for all submitted work, then for one last thing, and stop."""
        if not self._thread.is_alive():
            last.close()
            return
        with self._lock:
            self._is_closing = True
            pending = list(self._pending)
        wait(pending)
        asyncio.run_coroutine_threadsafe(last, self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
