"""Memory of the processes of Spark that a measured process has started.

Scope: its JVM, in which queries run, and the Python workers of that, which read logs and predict.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from benchmarks.servers import children_of

JVM = "java"
_PAUSE_SECONDS = 0.5


class SparkWatch:
    """Observes the processes of Spark below this one, in a thread, within its context.

    Attributes:
        jvm_mb: The most that the JVM ever held; 0 without one.
        workers_mb: The most that its Python workers held together at one of the looks, each page
            that they share counted once; 0 without any.
    """

    def __init__(self) -> None:
        self.jvm_mb = 0.0
        self.workers_mb = 0.0
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._has_ended.wait(_PAUSE_SECONDS):
            self._look()

    def _look(self) -> None:
        for jvm in (pid for pid in descendants(os.getpid()) if name_of(pid) == JVM):
            self.jvm_mb = max(self.jvm_mb, memory_mb(jvm, "status", "VmHWM"))
            workers = sum(memory_mb(pid, "smaps_rollup", "Pss") for pid in descendants(jvm))
            self.workers_mb = max(self.workers_mb, round(workers, 1))


def descendants(pid: int) -> Iterator[int]:
    """Processes that a process has started, those that they have started, and so on."""
    for child in children_of(pid):
        yield child
        yield from descendants(child)


def name_of(pid: int) -> str:
    """Name of a process; empty if it has ended."""
    return _read(pid, "comm").strip()


def memory_mb(pid: int, file: str, field: str) -> float:
    """A field of a process's `status` or `smaps_rollup`, in MB; 0 if the process has ended."""
    _, is_there, rest = _read(pid, file).partition(f"{field}:")
    return round(int(rest.split()[0]) / 1024, 1) if is_there else 0.0


def _read(pid: int, file: str) -> str:
    try:
        return Path(f"/proc/{pid}/{file}").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""
