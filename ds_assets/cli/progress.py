"""Progress of a run, as lines on the standard error stream: also for log files and terminals.

Scope: what is printed and how often. What a run does is in `runs`.
"""

import threading
import time
from types import TracebackType
from typing import Self

import typer

from ds_assets.runs import StepState

REMINDER_SECONDS = 10.0


class Progress:
    """Prints a line when a step ends, and from time to time for each that is still running."""

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._lock = threading.Lock()
        self._has_ended = threading.Event()
        self._reminder = threading.Thread(target=self._remind, daemon=True)

    def __enter__(self) -> Self:
        self._reminder.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._has_ended.set()
        self._reminder.join()

    def report_step(self, step: str, state: StepState) -> None:
        """Print that a step has ended, and remember one that has started."""
        with self._lock:
            if state == "started":
                self._started[step] = time.monotonic()
            elif step in self._started:
                _print(f"{step} {state} after {_seconds(self._started.pop(step))}")

    def _remind(self) -> None:
        while not self._has_ended.wait(REMINDER_SECONDS):
            with self._lock:
                for step, started in self._started.items():
                    _print(f"{step} is running for {_seconds(started)}")


def _seconds(started: float) -> str:
    return f"{time.monotonic() - started:,.0f} s"


def _print(text: str) -> None:
    typer.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)
