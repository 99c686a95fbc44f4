"""The service for who has no event loop: a job, the command line, a Django project.

Belongs here: an event loop in a thread of its own. Does not belong here: what is answered.
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

Answer = TypeVar("Answer")


class BlockingService:
    """Answers what is predicted for users. It may be shared by threads.

    Args:
        service: Who answers.
        loop: An event loop that is the service's alone.
    """

    def __init__(self, service: PredictionService, loop: "_Loop") -> None:
        self._service, self._loop = service, loop

    def answer(self, user_ids: Sequence[str]) -> list[Prediction]:
        """What is predicted for each of these users, in their order.

        Args:
            user_ids: 1,000 at most, each of 1 to 191 characters; one may come twice.

        Raises:
            InputError: the ids break these limits.
            RuntimeError: the service is closed, or was opened before this process was forked.
        """
        asked = self._loop.begin(self._service.answer(user_ids))
        return [answer.to_prediction() for answer in asked.result()]

    def health(self) -> Health:
        """How the service is now."""
        return self._service.health()


@contextmanager
def blocking(service: PredictionService) -> Iterator[BlockingService]:
    """Run a service while the context lasts; who is still waiting for an answer then gets it.

    A process that is forked meanwhile has none of its parent's threads: it cannot use the service,
    and its end closes nothing of its parent's.
    """
    loop = _Loop()
    try:
        loop.begin(service.refresh()).result()
        fresh = loop.begin(service.keep_fresh())
        try:
            yield BlockingService(service, loop)
        finally:
            fresh.cancel()
    finally:
        loop.end(service.close())


class _Loop:
    """An event loop that runs in a thread of its own, and takes work from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="ds-assets-answers", daemon=True
        )
        self._lock = threading.Lock()
        self._ends = False
        self._open: set[Future[Any]] = set()
        self._thread.start()

    def begin(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        """Let it do something.

        Raises:
            RuntimeError: nobody would ever do it.
        """
        if not self._thread.is_alive():  # asked first: a fork may hold the lock for ever
            work.close()
            raise RuntimeError(
                "the service is closed, or was opened before this process was forked"
            )
        with self._lock:
            if self._ends:
                work.close()
                raise RuntimeError("the service is being closed")
            begun = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._open.add(begun)
        begun.add_done_callback(self._open.discard)
        return begun

    def end(self, last: Coroutine[Any, Any, None]) -> None:
        """Wait until everything is done, the last thing too, and stop."""
        if not self._thread.is_alive():
            last.close()
            return
        with self._lock:
            self._ends = True
            begun = list(self._open)
        wait(begun)
        asyncio.run_coroutine_threadsafe(last, self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
