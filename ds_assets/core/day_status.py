"""Where the days of an installation stand, and what happens to them next.

Scope: the words and numbers of `ds-assets status`, given what is stored and which runs there are.
Listing and reading that is in `cli.standing`. The models are the shape of `--json`.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from ds_assets.core.day_ranges import list_ranges

RECENT_DAYS = 14
"""Newest days that have a line of their own."""

Logs: TypeAlias = Literal["collected", "in_source", "missing", "closed", "unknown"]
Activity: TypeAlias = Literal["stored", "refused", "none"]


class DayStatus(BaseModel):
    """Where a day stands.

    Attributes:
        day: The day.
        logs: `collected`, in the lake; `in_source`, not collected yet; `missing` in both; `closed`
            in the game file; `unknown`, as the source cannot be listed.
        activity: Whether `user_activity` is `stored`, or `refused`; else `none`.
        reason: Who refused or accepted the day and why; empty without a verdict.
        awaits_decision: Whether a check has refused the day, and no person has decided yet.
        predicted: Whether predictions are stored.
        delivered: Whether they are in the results database, by the lake's records.
        compared: Whether they were compared with outcomes.
        outcomes_on: Day at whose end the first outcomes are known; none without predictions, and
            where the game has ended by then.
        outdated: Assets of the day that were made from other inputs than there are now, or lack.
        run: `running`, or `failed` if the newest run of the day has failed; none otherwise.
        error: Why it has failed.
        note: Until when collecting the day waits; empty if it does not wait.
    """

    model_config = ConfigDict(frozen=True)

    day: dt.date
    logs: Logs
    activity: Activity = "none"
    reason: str = ""
    awaits_decision: bool = False
    predicted: bool = False
    delivered: bool = False
    compared: bool = False
    outcomes_on: dt.date | None = None
    outdated: tuple[str, ...] = ()
    run: Literal["running", "failed"] | None = None
    error: str = ""
    note: str = ""

    @property
    def has_logs(self) -> bool:
        """Whether there are logs of the day, in the lake or the source."""
        return self.logs in {"collected", "in_source"}

    @property
    def needs_run(self) -> bool:
        """Whether there are logs of the day, and its activity is not made from them."""
        return self.has_logs and (self.activity == "none" or "user_activity" in self.outdated)


class DayCounts(BaseModel):
    """How many of some days stand where; see `DayStatus`."""

    model_config = ConfigDict(frozen=True)

    first: dt.date
    last: dt.date
    days: int
    collected: int
    in_source: int
    missing: int
    closed: int
    refused: int
    predicted: int
    delivered: int
    compared: int
    outdated: int


class Status(BaseModel):
    """Where an installation stands.

    Attributes:
        format: Version of this shape; a new one may add keys, and never changes their meaning.
        game: Name of the game.
        at: When it was looked at.
        days: The newest `RECENT_DAYS` days, ascending.
        older: The days before them together; none without any.
        models: By target, what the newest predictions were made with.
        promotions: By name, whether each assigns users, and why not.
        attention: A sentence for each thing that needs a person.
        next: A sentence for each thing that happens next, or that a command would do.
        unread: A sentence for each place that cannot be read, about which the rest says nothing.
    """

    model_config = ConfigDict(frozen=True)

    format: int = 1
    game: str
    at: dt.datetime
    days: tuple[DayStatus, ...] = ()
    older: DayCounts | None = None
    models: dict[str, str] = {}
    promotions: dict[str, str] = {}
    attention: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def needs_a_person(self) -> bool:
        """Whether anything waits for a person."""
        return bool(self.attention or self.unread)


def count_days(days: Sequence[DayStatus]) -> DayCounts | None:
    """Count where days stand; none without days."""
    if not days:
        return None

    def logs(kind: Logs) -> int:
        return sum(day.logs == kind for day in days)

    return DayCounts(
        first=days[0].day,
        last=days[-1].day,
        days=len(days),
        collected=logs("collected"),
        in_source=logs("in_source"),
        missing=logs("missing"),
        closed=logs("closed"),
        refused=sum(day.activity == "refused" for day in days),
        predicted=sum(day.predicted for day in days),
        delivered=sum(day.delivered for day in days),
        compared=sum(day.compared for day in days),
        outdated=sum(bool(day.outdated) for day in days),
    )


def find_attention(days: Sequence[DayStatus], newest_due: dt.date) -> Iterator[str]:
    """Yield a sentence for everything about days that needs a person.

    Args:
        days: All days of the game so far, ascending.
        newest_due: The newest day whose logs are to be collected by now.
    """
    for day in days:
        if day.awaits_decision:
            yield (
                f"{day.day} is {day.reason}: replace its files, or decide with `ds-assets accept "
                f"{day.day} --reason REASON` or `ds-assets refuse {day.day} --reason REASON`"
            )
    newest = max((day.day for day in days if day.has_logs), default=None)
    if newest is not None:
        gaps = [day.day for day in days if day.logs == "missing" and day.day < newest]
        if gaps:
            yield (
                f"there are no logs of {list_ranges(gaps)}: upload them, or add the days to "
                "closed_days if the game was offline"
            )
        if (newest_due - newest).days > 1:
            yield f"the newest logs are of {newest}, and those of {newest_due} are due"
    failures: dict[str, list[dt.date]] = {}
    for day in days:
        if day.run == "failed":
            failures.setdefault(day.error, []).append(day.day)
    for error, failed in failures.items():
        yield f"the newest run of {list_ranges(failed)} has failed: {error}"


def find_next(days: Sequence[DayStatus], *, has_daemon: bool) -> Iterator[str]:
    """Yield a sentence for what happens next, or would by a command.

    Args:
        days: All days of the game so far, ascending.
        has_daemon: Whether Dagster's daemon is alive, so that the sensors start runs.
    """
    if running := [day.day for day in days if day.run == "running"]:
        yield f"a run of {list_ranges(running)} is in progress"
    waiting = [day for day in days if day.needs_run and day.run != "running"]
    for note in dict.fromkeys(day.note for day in waiting if day.note):
        alike = list_ranges(day.day for day in waiting if day.note == note)
        yield f"collecting {alike} waits {note}"
    if to_run := [day.day for day in waiting if not day.note]:
        yield from _describe_runs(days, to_run, has_daemon=has_daemon)
    to_refresh = [
        day.day for day in days if day.outdated and not day.needs_run and day.run != "running"
    ]
    if to_refresh:
        who = "the sensor makes" if has_daemon else "`ds-assets refresh --yes` makes"
        yield f"{who} {list_ranges(to_refresh)} again, which lack deliveries or have newer inputs"
    only_read = [
        day.day
        for day in days
        if day.activity == "stored" and not (day.predicted or day.outdated or day.run == "running")
    ]
    if only_read:
        yield (
            f"`ds-assets run {_span(only_read)}` would predict {_count(only_read)} of which only "
            "the logs are read, to compare more predictions with outcomes"
        )
    yield from _describe_outcomes(days)


def _span(days: Sequence[dt.date]) -> str:
    """The days as arguments of `ds-assets run`."""
    return f"{days[0]}" if len(days) == 1 else f"{days[0]} {days[-1]}"


def _count(days: Sequence[dt.date]) -> str:
    return f"{len(days):,} day{'' if len(days) == 1 else 's'}"


def _describe_runs(
    days: Sequence[DayStatus], to_run: Sequence[dt.date], *, has_daemon: bool
) -> Iterator[str]:
    if has_daemon:
        yield f"the sensors collect and run {_count(to_run)}: {list_ranges(to_run)}"
        return
    if not any(day.predicted for day in days):
        yield "`ds-assets run --last` would make the first predictions, of the newest day"
    yield (
        f"`ds-assets run {_span(to_run)}` would make {_count(to_run)}; Dagster's daemon, which "
        "would, is not alive"
    )


def _describe_outcomes(days: Iterable[DayStatus]) -> Iterator[str]:
    waiting = {day.outcomes_on: day.day for day in days if day.predicted and not day.compared}
    dates = [date for date in waiting if date is not None]
    if dates:
        known_on = min(dates)
        day = waiting[known_on]
        yield f"predictions of {day} can be compared with outcomes once {known_on} is stored"
