"""When the files of a day ask for a run: the rule, without any orchestrator or store.

Belongs here: what is to be done about a day, from what is known of its files and of the runs that
were made for them. Does not belong here: how files are listed, and how a run is started.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

SETTLED_AFTER = dt.timedelta(seconds=60)
"""A day is left alone while its newest file is younger: more of it may be on the way."""
RETRY_AFTER = tuple(dt.timedelta(minutes=minutes) for minutes in (2, 10, 60))
"""Pauses after each failed run for the same files; after as many pauses a day is given up."""


class Outcome(Enum):
    """How a run ended, if it did."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Attempt:
    """A run that was made for the files of a day as they are now.

    Attributes:
        outcome: How it ended.
        at: When it ended, or began if it has not ended.
    """

    outcome: Outcome
    at: dt.datetime


@dataclass(frozen=True)
class Arrival:
    """A day's files, and what has been done about them.

    Attributes:
        day: The day.
        newest: When the newest of its files came.
        complete: Whether a marker says that no more will come; none, where there are no markers.
        used: Whether what is stored was made of just these files.
        busy: Whether any run of the day is under way, for whatever files.
        attempts: Runs for just these files, the oldest first.
    """

    day: dt.date
    newest: dt.datetime
    complete: bool | None
    used: bool
    busy: bool
    attempts: tuple[Attempt, ...] = ()


class Verdict(Enum):
    """What is to be done about a day."""

    RUN = "run"
    DONE = "done"
    HELD = "held until it has a partition"
    ARRIVING = "waiting for the rest of its files"
    RUNNING = "waiting for a run under way"
    PAUSED = "waiting after a failed run"
    GIVEN_UP = "given up after failed runs"


def judge(arrival: Arrival, partitions: Collection[dt.date], now: dt.datetime) -> Verdict:
    """Say what is to be done about a day whose files lie in a store that knows no events.

    It is a trigger without memory of its own: asked again and again, with whatever is true at that
    moment, it says `RUN` until a run for just these files is on record, and then never again. So a
    caller who forgets everything, or dies between two steps, loses nothing and does nothing twice,
    as long as each run is recorded with the files that it is for (a fingerprint of names and etags
    will do) before it begins, and the record holds what is asked for here.

    A day is run when

    - it has a partition (one without is held: a partition may come at midnight);
    - its files are complete: where there are markers, its marker is there and none of its files is
      newer, else its newest file has rested for `SETTLED_AFTER`. A file that is replaced after
      the marker counts when it has rested;
    - no run of it is under way;
    - what is stored was not made of these files, or a run for these files has failed since:
      then it is run again after each of the pauses `RETRY_AFTER`, and given up after the last.

    A replaced, added or removed file makes other files of the day, with no attempts: it starts
    anew.

    Args:
        arrival: What is known of the day.
        partitions: Days that can be run.
        now: The time, of the same clock as the files'.

    Returns:
        The first of these rules that has something to say.
    """
    last = arrival.attempts[-1].outcome if arrival.attempts else None
    if arrival.day not in partitions:
        return Verdict.HELD
    if arrival.busy or last is Outcome.RUNNING:
        return Verdict.RUNNING
    if last is Outcome.SUCCEEDED or (last is None and arrival.used):
        return Verdict.DONE
    if pause := _pause(arrival.attempts, now):
        return pause
    rested = now - arrival.newest >= SETTLED_AFTER
    arrived = rested if arrival.complete is None else arrival.complete
    return Verdict.RUN if arrived else Verdict.ARRIVING


def _pause(attempts: Iterable[Attempt], now: dt.datetime) -> Verdict | None:
    """Why failed runs keep a day from being run now; none where they do not."""
    failed = [one.at for one in attempts if one.outcome is Outcome.FAILED]
    if len(failed) > len(RETRY_AFTER):
        return Verdict.GIVEN_UP
    if failed and now - failed[-1] < RETRY_AFTER[len(failed) - 1]:
        return Verdict.PAUSED
    return None


def outdated(
    made: Iterable[tuple[dt.date, dt.datetime]],
    of: Sequence[tuple[dt.date, dt.datetime]],
    reach: int,
) -> list[dt.date]:
    """Days whose result is older than something that it was made of.

    Args:
        made: Each day's result, and when it was stored.
        of: Each day of what it is made of, and when that was stored.
        reach: A result is made of its own day and of so many days before it.

    Returns:
        Those days, ascending.
    """
    window = dt.timedelta(days=reach)
    return sorted(
        day
        for day, at in made
        if any(stored > at for other, stored in of if day - window <= other <= day)
    )
