"""Events of runs in Dagster's SQLite files, those of many days in one transaction.

Scope: how events are written. Where they are is decided by `DAGSTER_HOME`, see `runs`.

A run of many days plans and reports each day of each asset. Dagster would open two files and wait
for the disk at each of these events, which takes longer than the work on most days.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage

EVENTS_PER_BATCH = 200
_BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE"


class BatchedEventLog(SqliteEventLogStorage):
    """Keeps the files open for a batch of events, which are stored all or not at all."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._batch: _Batch | None = None
        super().__init__(base_dir, inst_data)
        self._db_lock: Any = threading.RLock()  # a batch holds it while it opens both files

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events in one transaction of each file."""
        with self._db_lock, ExitStack() as stack:
            self._batch = _Batch(threading.get_ident(), stack)
            try:
                super().store_event_batch(events)
            finally:
                self._batch = None

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Any]:
        batch = self._batch
        if batch is None or batch.thread != threading.get_ident():  # others wait for the batch
            with super()._connect(shard) as connection:
                yield connection
            return
        if shard not in batch.connections:
            batch.connections[shard] = batch.stack.enter_context(super()._connect(shard))
        yield batch.connections[shard]


@dataclass(frozen=True)
class _Batch:
    """A batch that is being stored.

    Attributes:
        thread: The thread that stores it.
        stack: Closes the files at its end.
        connections: The files that it has opened, by shard.
    """

    thread: int
    stack: ExitStack
    connections: dict[str, Any] = field(default_factory=dict)


def store_in_batches(instance: dg.DagsterInstance) -> None:
    """Let an instance with SQLite files store the events of many days together.

    An instance on a database server is left as it is.
    """
    storage = instance.event_log_storage
    if type(storage) is not SqliteEventLogStorage:
        return
    os.environ.setdefault(_BATCH_SIZE, str(EVENTS_PER_BATCH))
    # Dagster has no public way to choose another class for an instance that exists.
    batched = BatchedEventLog(storage._base_dir, storage.inst_data)  # noqa: SLF001
    batched.register_instance(instance)
    instance._event_storage = batched  # noqa: SLF001
