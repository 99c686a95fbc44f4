"""Progress of runs on the standard error stream: bars in a terminal, else lines, as for log files.

Scope: what is shown and how often. What a run does is in `runs`.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from ds_assets.runs import StepState

REMINDER_SECONDS = 10.0
ReportDays: TypeAlias = Callable[[int], None]
"""Receives the number of days that are done."""


class Progress(Protocol):
    """Shows how far planned steps are."""

    def plan(self, steps: Iterable[str], days: int) -> None:
        """Expect that each step is done for so many days, beside those that are planned already."""
        ...

    def report_step(self, step: str, state: StepState, days: int) -> None:
        """Show that a step has started, is done, or has failed, for some days.

        Of a step that is not planned, such as a check, only the failure is shown.
        """
        ...

    def tracking(self, step: str, days: int) -> AbstractContextManager[ReportDays]:
        """Show a step that reports itself for how many of its days it is done."""
        ...


def open_progress(
    console: Console | None = None, unit: str = "days"
) -> AbstractContextManager[Progress]:
    """Show bars if the console is a terminal, else print lines.

    Args:
        console: Where to; the standard error stream if it is omitted.
        unit: What is counted in place of days.
    """
    console = console or Console(stderr=True)
    shows_bars = console.is_terminal
    return _ProgressBars(console, unit) if shows_bars else _ProgressLines(console, unit)


class _ProgressBars:
    """A bar of days for each planned step."""

    def __init__(self, console: Console, unit: str) -> None:
        self._bars = Bars(
            TextColumn("{task.description:<26}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def plan(self, steps: Iterable[str], days: int) -> None:
        """See `Progress`."""
        for step in steps:
            if step in self._tasks:
                planned = self._bars.tasks[self._tasks[step]].total or 0
                self._bars.update(self._tasks[step], total=planned + days)
            else:
                self._tasks[step] = self._bars.add_task(step, total=days, start=False)

    def report_step(self, step: str, state: StepState, days: int) -> None:
        """See `Progress`."""
        task = self._tasks.get(step)
        if state == "failed":
            self._bars.console.print(f"{step} failed")
        elif task is not None and state == "started":
            self._bars.start_task(task)
        elif task is not None:
            self._bars.advance(task, days)

    @contextmanager
    def tracking(self, step: str, days: int) -> Iterator[ReportDays]:
        """See `Progress`."""
        self.plan([step], days)
        self.report_step(step, "started", days)
        task = self._bars.tasks[self._tasks[step]]
        before = task.completed
        yield lambda done: self._bars.update(task.id, completed=before + done)


@dataclass
class _Step:
    """A planned step.

    Attributes:
        planned: Days that it is planned for.
        done: Days that it is done for.
        started: When its part in progress has started, by the monotonic clock; none without any.
    """

    planned: int = 0
    done: int = 0
    started: float | None = None


@dataclass
class _ProgressLines:
    """A line when a step ends, and from time to time for each that is in progress."""

    console: Console
    unit: str
    _steps: dict[str, _Step] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _has_ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._reminder = threading.Thread(target=self._remind, daemon=True)
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

    def plan(self, steps: Iterable[str], days: int) -> None:
        """See `Progress`."""
        with self._lock:
            for step in steps:
                self._steps.setdefault(step, _Step()).planned += days

    def report_step(self, step: str, state: StepState, days: int) -> None:
        """See `Progress`."""
        with self._lock:
            own = self._steps.get(step, _Step())
            if state == "started":
                own.started = own.started or time.monotonic()
            elif state == "failed":
                self._print(f"{step} failed{_after(own)}")
            elif step in self._steps:
                own.done += days
                self._print(f"{step} done{self._of_planned(own)}{_after(own)}")
            if state != "started":
                own.started = None

    @contextmanager
    def tracking(self, step: str, days: int) -> Iterator[ReportDays]:
        """See `Progress`."""
        self.plan([step], days)
        self.report_step(step, "started", days)

        def report(done: int) -> None:
            if done == days:
                self.report_step(step, "done", days)

        yield report

    def _remind(self) -> None:
        while not self._has_ended.wait(REMINDER_SECONDS):
            with self._lock:
                for step, own in self._steps.items():
                    if own.started is not None:
                        seconds = time.monotonic() - own.started
                        self._print(f"{step} is running for {seconds:,.0f} s")

    def _of_planned(self, step: _Step) -> str:
        if step.done >= step.planned:
            return ""
        return f" for {step.done:,} of {step.planned:,} {self.unit}"

    def _print(self, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')} {text}"
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _after(step: _Step) -> str:
    return "" if step.started is None else f" after {time.monotonic() - step.started:,.0f} s"
