"""Run requests: which runs were requested before, how they ended, and whether to request another.

Scope: tags and keys of requests, earlier attempts, retries. The rule when a day is run is
`core.arrivals.decide_run`; which days may need a run is for the modules beside this one.
"""

import datetime as dt
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import takewhile
from typing import Self

import dagster as dg
from dagster import RunRecord
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from ds_assets.core.arrivals import Arrival, Attempt, Outcome, RunDecision, decide_run
from ds_assets.core.lineage import days_behind_predictions
from ds_assets.core.provenance import fingerprint, fingerprint_of_inputs
from ds_assets.core.run_order import MAX_DAYS_PER_RUN, rank, split_into_runs
from ds_assets.game import Game
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.partitions import daily_partitions
from ds_assets.runs import RANGE_END, RANGE_START, days_of_tags
from ds_assets.sensors.cursor import Cursor, read_cursor

MAX_RUNS_PER_EVALUATION = 5
FILES = "ds_assets/raw_files"
"""Tag of a run: the intents that it serves, separated; see `RunIntent.tag`."""

_SEPARATOR = " "

_UNFINISHED = [
    *IN_PROGRESS_RUN_STATUSES,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
]
_OUTCOMES = {
    dg.DagsterRunStatus.SUCCESS: Outcome.SUCCEEDED,
    dg.DagsterRunStatus.FAILURE: Outcome.FAILED,
    dg.DagsterRunStatus.CANCELED: Outcome.FAILED,
}


@dataclass(frozen=True)
class RunIntent:
    """A run that is needed, for the days from first to last.

    Attributes:
        job: The job to run.
        first: First day.
        last: Last day.
        files: Fingerprint of what the run is for; if it changes, it is another intent.
    """

    job: str
    first: dt.date
    last: dt.date
    files: str

    @property
    def tag(self) -> str:
        """What all runs of this intent have in common."""
        return f"{self.job}/{self.days}/{self.files}"

    @property
    def days(self) -> str:
        """Its days, in words."""
        return f"{self.first}" if self.first == self.last else f"{self.first}...{self.last}"

    @classmethod
    def of_tag(cls, tag: str) -> "RunIntent":
        """The intent with a tag."""
        job, days, files = tag.split("/")
        first, _, last = days.partition("...")
        return cls(job, dt.date.fromisoformat(first), dt.date.fromisoformat(last or first), files)


def request_run(intents: Sequence[RunIntent], attempt: int) -> dg.RunRequest:
    """The request of run number `attempt` for intents of one job, whose days follow each other."""
    tag = _SEPARATOR.join(intent.tag for intent in intents)
    whole = RunIntent(intents[0].job, intents[0].first, intents[-1].last, fingerprint([tag]))
    key = f"{tag if len(intents) == 1 else whole.tag}/{attempt}"
    tags = {FILES: tag}
    if whole.first == whole.last:
        return dg.RunRequest(key, job_name=whole.job, partition_key=str(whole.first), tags=tags)
    tags |= {RANGE_START: str(whole.first), RANGE_END: str(whole.last)}
    return dg.RunRequest(key, job_name=whole.job, tags=tags)


@dataclass(frozen=True)
class SensorEvaluation:
    """One evaluation of a sensor: what it may look at, and what it has to report.

    Attributes:
        game: The game.
        lake: The lake.
        instance: Dagster's instance, which knows all runs.
        now: The time.
        cursor: Memory for the next evaluation; changed in place.
        records: What the stored days were made from.
        warnings: Messages to log, each of them once.
        events: Messages and results of checks to record at an asset as well.
        decisions: How many days each decision was made for.
    """

    game: Game
    lake: Lake
    instance: dg.DagsterInstance
    now: dt.datetime
    cursor: Cursor
    records: Records
    warnings: list[str] = field(default_factory=list)
    events: list[dg.AssetObservation | dg.AssetCheckEvaluation] = field(default_factory=list)
    decisions: Counter[RunDecision] = field(default_factory=Counter)

    @classmethod
    def begin(
        cls, context: dg.SensorEvaluationContext, game: Game, lake: Lake, now: dt.datetime
    ) -> Self:
        """Begin an evaluation with the cursor of the last one."""
        cursor, records = read_cursor(context.cursor), open_records(game, lake)
        return cls(game, lake, context.instance, now, cursor, records)

    def attempts(self, intents: Iterable[RunIntent]) -> Mapping[str, list[Attempt]]:
        """Runs of each intent's tag, oldest first."""
        intents = list(intents)
        attempts: defaultdict[str, list[Attempt]] = defaultdict(list)
        if not intents:
            return attempts
        tags = {intent.tag for intent in intents}
        records = {
            record.storage_id: record
            for selection in _filters_of_attempts(intents)
            for record in self.instance.get_run_records(selection)
        }
        for _, record in sorted(records.items()):
            for tag in tags.intersection(record.dagster_run.tags.get(FILES, "").split(_SEPARATOR)):
                attempts[tag].append(_attempt(record))
        return attempts

    @cached_property
    def unfinished_runs(self) -> Sequence[dg.DagsterRun]:
        """Runs that are in progress, or wait for their turn."""
        return self.instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))

    @cached_property
    def busy_days(self) -> set[dt.date]:
        """Days for which any run is in progress, or waits for its turn."""
        return {day for run in self.unfinished_runs for day in days_of_tags(run.tags)}

    @cached_property
    def is_busy(self) -> bool:
        """Whether any run of a day is unfinished, or a backfill, which starts its runs in turn."""
        requested = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
        return bool(self.busy_days or self.instance.get_backfills(filters=requested, limit=1))

    def request_days(
        self,
        job: str,
        intents: Mapping[dt.date, RunIntent],
        arrivals: Mapping[dt.date, Arrival],
        newest: dt.date,
    ) -> list[dg.RunRequest]:
        """Request runs of days, in the order of `core.run_order`, as far as it is their turn.

        Days that follow each other share a run. What comes after a run of several days waits for
        it: it would be made from days that are not stored yet, and then made again.

        Args:
            job: The job to run.
            intents: The intent of each day.
            arrivals: Files and runs of each day.
            newest: The newest day of all.
        """
        keys = set(map(dt.date.fromisoformat, daily_partitions(self.game).get_partition_keys()))
        due = [
            day
            for day, intent in intents.items()
            if self._decide(intent, arrivals[day], keys) is RunDecision.RUN
        ]
        place = partial(rank, newest=newest, block_days=days_behind_predictions(self.game))
        attempts = {day: len(arrivals[day].attempts) for day in due}
        runs = split_into_runs(sorted(due, key=place), attempts.__getitem__)
        started = [place(days[0]) for days in self._started_runs(job)]
        in_turn = [days for days in runs if not started or place(days[0]) < min(started)]
        singles = list(takewhile(lambda days: len(days) == 1, in_turn))
        return [
            request_run([intents[day] for day in days], attempts[days[0]] + 1)
            for days in in_turn[: len(singles) + 1][:MAX_RUNS_PER_EVALUATION]
        ]

    def _started_runs(self, job: str) -> list[list[dt.date]]:
        """Days of each unfinished run that `request_days` has requested for several days."""
        runs = [run.tags for run in self.unfinished_runs if run.job_name == job]
        return [days_of_tags(tags) for tags in runs if _SEPARATOR in tags.get(FILES, "")]

    def request_range(
        self, job: str, days: Sequence[dt.date], assets: Iterable[str], cause: str = ""
    ) -> list[dg.RunRequest]:
        """Request one run for the first of some days and those near it; given up ones are skipped.

        Args:
            job: The job to run.
            days: The days that need it, ascending; none need nothing.
            assets: The assets that are made; other inputs of theirs are another intent.
            cause: What else the run is for; another cause is another intent.
        """
        remaining, assets = list(days), list(assets)
        while remaining:
            first = remaining[0]
            near = [day for day in remaining if (day - first).days < MAX_DAYS_PER_RUN]
            inputs = (self.records.inputs(asset, day) for asset in assets for day in near)
            files = fingerprint([*map(fingerprint_of_inputs, inputs), *filter(None, [cause])])
            intent = RunIntent(job, first, near[-1], files)
            attempts = tuple(self.attempts([intent])[intent.tag])
            arrival = Arrival(first, self.now, True, used=False, busy=False, attempts=attempts)
            decision = self._decide(intent, arrival, {first})
            if decision is RunDecision.RUN:
                return [request_run([intent], len(attempts) + 1)]
            if decision is not RunDecision.GIVEN_UP:
                return []
            remaining = remaining[len(near) :]
        return []

    def _decide(
        self, intent: RunIntent, arrival: Arrival, partitions: Collection[dt.date]
    ) -> RunDecision:
        """Decide on an intent, and report the decision."""
        decision = decide_run(arrival, partitions, self.now)
        self.decisions[decision] += 1
        if decision is RunDecision.REFUSED:
            self._report_refusal(intent)
        return decision

    def report_check(self, asset: str, name: str, result: dg.AssetCheckResult) -> None:
        """Record the result of an asset's check."""
        self.events.append(
            dg.AssetCheckEvaluation(
                dg.AssetKey(asset),
                name,
                result.passed,
                result.metadata,
                severity=result.severity,
                description=result.description,
            )
        )

    def result(
        self, place: str, requests: list[dg.RunRequest], log: logging.Logger
    ) -> dg.SensorResult:
        """Log the warnings, and put together what the evaluation has led to.

        Args:
            place: What the sensor looked at.
            requests: The runs to start.
            log: The sensor's log.
        """
        for warning in self.warnings:
            log.warning(warning)
        summary = f"{place}: {self.summary() or 'nothing new'}"
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "; ".join([*self.warnings, summary]),
            cursor=self.cursor.model_dump_json(by_alias=True),
            asset_events=self.events,
        )

    def summary(self) -> str:
        """The decisions of this evaluation, in words."""
        return ", ".join(
            f"{count} {decision.value}"
            for decision, count in self.decisions.items()
            if decision is not RunDecision.DONE
        )

    def _report_refusal(self, intent: RunIntent) -> None:
        day, key = intent.first, f"{intent.tag}/refused"
        if key in self.cursor.warned:
            return
        self.cursor.warned.add(key)
        message = (
            f"user_activity of {day} is {self.records.verdict(day)}. Nothing is made from it until "
            f"its files are replaced, or `ds-assets accept {day} --reason REASON` lets it pass."
        )
        self._report(day, message)

    def _report(self, day: dt.date, message: str) -> None:
        self.warnings.append(message)
        self.events.append(dg.AssetObservation("user_activity", message, partition=str(day)))


def _filters_of_attempts(intents: Sequence[RunIntent]) -> Iterator[dg.RunsFilter]:
    """Yield filters of the runs for intents: those of their own, and those of several days."""
    yield dg.RunsFilter(tags={FILES: sorted({intent.tag for intent in intents})})
    days = {intent.first for intent in intents if intent.first == intent.last}
    starts = {day - dt.timedelta(days=back) for day in days for back in range(MAX_DAYS_PER_RUN)}
    for job in sorted({intent.job for intent in intents if intent.first in days}):
        yield dg.RunsFilter(job_name=job, tags={RANGE_START: sorted(map(str, starts))})


def _attempt(record: RunRecord) -> Attempt:
    outcome = _OUTCOMES.get(record.dagster_run.status, Outcome.RUNNING)
    at = record.end_time or record.create_timestamp.timestamp()
    return Attempt(outcome, dt.datetime.fromtimestamp(at, dt.UTC))
