"""Background tasks of the service: work that no answer waits for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

_MAX_OPTIONAL_TASKS = 4


class BackgroundTasks:
    """Tasks on one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_busy(self) -> bool:
        """Whether there are so many tasks that an optional one should be skipped."""
        return len(self._tasks) >= _MAX_OPTIONAL_TASKS

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  (it cancels what remains)
        """Wait for the tasks, and cancel those that take longer than that many seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)
        for task in self._tasks:
            task.cancel()
