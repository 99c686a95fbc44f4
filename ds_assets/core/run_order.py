"""Which of many days are run first, and which of them together in one run.

Scope: order and batches. Whether a day needs a run is decided in `core.arrivals`.

The newest days come first, as a block: all that the predictions of the newest day read, which are
the features of the snapshots that models learn from, and the activity that these look back on.
Within the block the oldest day is first, because features, labels and cluster ids of a day need
those before it. Newest first throughout would make each day from incomplete windows, and again once
the days before it are stored. Oldest first throughout would reach today's predictions last. The
days before the block follow, oldest first.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

MAX_DAYS_PER_RUN = 31
MAX_FAILURES_TOGETHER = 1
"""Failed runs after which the days of a run are retried one by one: the fault may be in one day."""


def rank(day: dt.date, newest: dt.date, block_days: int) -> tuple[bool, dt.date]:
    """The place of a day in the order; smaller comes first.

    Args:
        day: The day.
        newest: The newest day of all.
        block_days: Days before the newest one that its predictions read.
    """
    return (newest - day).days > block_days, day


def split_into_runs(
    days: Iterable[dt.date], failures: Callable[[dt.date], int]
) -> list[list[dt.date]]:
    """Split days into runs, each of consecutive days.

    Args:
        days: The days, in the order in which they are to be run.
        failures: Number of failed runs of a day.

    Returns:
        Runs of at most `MAX_DAYS_PER_RUN` days that have failed equally often, in that order.
    """
    runs: list[list[dt.date]] = []
    for day in days:
        if runs and _continues(runs[-1], day, failures):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _continues(run: Sequence[dt.date], day: dt.date, failures: Callable[[dt.date], int]) -> bool:
    return (
        len(run) < MAX_DAYS_PER_RUN
        and day == run[-1] + dt.timedelta(days=1)
        and failures(day) == failures(run[-1]) <= MAX_FAILURES_TOGETHER
    )
