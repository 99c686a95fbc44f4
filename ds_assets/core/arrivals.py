"""Deciding when a day's files need a run, independent of any orchestrator or store.

Scope: the decision, given a day's files and the runs made for them. Listing files and starting runs
is up to the caller.
"""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import takewhile

SETTLED_AFTER = dt.timedelta(seconds=60)
"""A day waits while its newest file is younger than this: more files may follow."""
RETRY_AFTER = tuple(dt.timedelta(minutes=minutes) for minutes in (2, 10, 60))
"""Pauses after failed runs for the same files. The day is given up after one more failure."""
RETRY_GIVEN_UP_AFTER = dt.timedelta(days=1)
"""Pause after each further failure: a day that was given up is tried again once a day."""


class Outcome(Enum):
    """The state of a run."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Attempt:
    """A run for the current files of a day.

    Attributes:
        outcome: Its state.
        at: When it ended, or started if it has not ended.
    """

    outcome: Outcome
    at: dt.datetime


@dataclass(frozen=True)
class Arrival:
    """A day's files and the runs made for them.

    Attributes:
        day: The day.
        newest: When the newest of its files arrived.
        complete: Whether a marker file says that no more will arrive; None without markers.
        used: Whether the stored data was computed from exactly these files.
        busy: Whether any run of the day is in progress, whatever its files.
        attempts: Runs for exactly these files, oldest first.
        refused: Whether the stored data is refused.
    """

    day: dt.date
    newest: dt.datetime
    complete: bool | None
    used: bool
    busy: bool
    attempts: tuple[Attempt, ...] = ()
    refused: bool = False


class RunDecision(Enum):
    """What to do about a day."""

    RUN = "run"
    DONE = "done"
    HELD = "held until it has a partition"
    ARRIVING = "waiting for the rest of its files"
    RUNNING = "waiting for a run in progress"
    PAUSED = "waiting after a failed run"
    REFUSED = "refused"
    GIVEN_UP = "given up after failed runs"


def is_given_up(attempts: Iterable[Attempt]) -> bool:
    """Whether so many runs have failed, since the last one that succeeded, that they need a person.

    Args:
        attempts: Runs for the same files, oldest first.
    """
    outcomes = [attempt.outcome for attempt in attempts]
    failures = takewhile(lambda outcome: outcome is Outcome.FAILED, reversed(outcomes))
    return sum(1 for _ in failures) > len(RETRY_AFTER)


def decide_run(arrival: Arrival, partitions: Collection[dt.date], now: dt.datetime) -> RunDecision:
    """Decide whether a day needs a run, for files in a store that is polled.

    The decision is stateless. Called repeatedly with the current facts, it is `RUN` until a run for
    exactly these files is on record, and after that only if what the run stored is lost, a day
    later. A caller that loses its state or dies between two steps therefore neither misses nor
    repeats a run, provided that each run is recorded with its files (a fingerprint of names and
    ETags) before it starts.

    A day is run when

    - it has a partition; without one it is held, because the partition may appear at midnight;
    - its files are complete: with markers, its marker is present and no file is newer; without
      them, its newest file is at least `SETTLED_AFTER` old. A file replaced after the marker counts
      once it is that old;
    - no run of the day is in progress;
    - the data stored from these files is not refused: another run would not change that;
    - the stored data was not computed from these files, or a run for these files has failed since.
      It is then retried after each of the pauses `RETRY_AFTER`, given up after the last, and
      retried after each `RETRY_GIVEN_UP_AFTER` from then on, since causes such as a full disk or
      an expired credential end without a change of the files.

    Replacing, adding or removing a file changes the fingerprint, so the day starts over without
    attempts.

    Args:
        arrival: The day's files and runs.
        partitions: Days that can be run.
        now: The current time, on the same clock as that of the files.

    Returns:
        The decision of the first rule that applies.
    """
    last = arrival.attempts[-1].outcome if arrival.attempts else None
    if arrival.day not in partitions:
        return RunDecision.HELD
    if arrival.busy or last is Outcome.RUNNING:
        return RunDecision.RUNNING
    if arrival.used and arrival.refused:
        return RunDecision.REFUSED
    if _is_done(arrival, now):
        return RunDecision.DONE
    if pause := _pause(arrival.attempts, now):
        return pause
    settled = now - arrival.newest >= SETTLED_AFTER
    complete = settled if arrival.complete is None else arrival.complete
    return RunDecision.RUN if complete else RunDecision.ARRIVING


def _is_done(arrival: Arrival, now: dt.datetime) -> bool:
    """Return whether the data is stored, or a run for it has succeeded within a day."""
    if not arrival.attempts:
        return arrival.used
    last = arrival.attempts[-1]
    is_recent = now - last.at < RETRY_GIVEN_UP_AFTER
    return last.outcome is Outcome.SUCCEEDED and (arrival.used or is_recent)


def _pause(attempts: Iterable[Attempt], now: dt.datetime) -> RunDecision | None:
    """Return the decision if failed runs keep the day from being run now; None otherwise."""
    failed = [attempt.at for attempt in attempts if attempt.outcome is Outcome.FAILED]
    pauses = dict(enumerate(RETRY_AFTER, start=1))
    if not failed or now - failed[-1] >= pauses.get(len(failed), RETRY_GIVEN_UP_AFTER):
        return None
    return RunDecision.PAUSED if len(failed) in pauses else RunDecision.GIVEN_UP
