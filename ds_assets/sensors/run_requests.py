"""Run requests: which runs were requested before, how they ended, and whether to request another.

Scope: tags and keys of requests, earlier attempts, retries. The rule when a day is run is
`core.arrivals.decide_run`; which days may need a run is for the modules beside this one.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import dagster as dg
from dagster import RunRecord
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from ds_assets.core.arrivals import Arrival, Attempt, Outcome, RunDecision, decide_run
from ds_assets.core.provenance import fingerprint, fingerprint_of_inputs
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.runs import RANGE_END, RANGE_START
from ds_assets.sensors.cursor import Cursor

MAX_DAYS_PER_RUN = 31
FILES = "ds_assets/raw_files"
"""Tag of a run: the job, the days and the fingerprint of the files that it was requested for."""

_PARTITION = "dagster/partition"
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
        days = f"{self.first}" if self.first == self.last else f"{self.first}...{self.last}"
        return f"{self.job}/{days}/{self.files}"

    def request(self, attempt: int) -> dg.RunRequest:
        """The request of its run number `attempt`."""
        tags = {FILES: self.tag}
        key = f"{self.tag}/{attempt}"
        if self.first == self.last:
            return dg.RunRequest(key, job_name=self.job, partition_key=str(self.first), tags=tags)
        tags |= {RANGE_START: str(self.first), RANGE_END: str(self.last)}
        return dg.RunRequest(key, job_name=self.job, tags=tags)


@dataclass(frozen=True)
class SensorEvaluation:
    """One evaluation of the sensor: what it may look at, and what it has to report.

    Attributes:
        game: The game.
        lake: The lake.
        instance: Dagster's instance, which knows all runs.
        now: The time.
        cursor: Memory for the next evaluation; changed in place.
        records: What the stored days were made from.
        warnings: Messages to log, each of them once.
        observations: Messages to record at an asset as well.
        decisions: How many days each decision was made for.
    """

    game: Game
    lake: Lake
    instance: dg.DagsterInstance
    now: dt.datetime
    cursor: Cursor
    records: Records
    warnings: list[str] = field(default_factory=list)
    observations: list[dg.AssetObservation] = field(default_factory=list)
    decisions: Counter[RunDecision] = field(default_factory=Counter)

    def attempts(self, intents: Iterable[RunIntent]) -> Mapping[str, list[Attempt]]:
        """Runs of each intent's tag, oldest first."""
        attempts: defaultdict[str, list[Attempt]] = defaultdict(list)
        tags = [intent.tag for intent in intents]
        if tags:
            records = self.instance.get_run_records(dg.RunsFilter(tags={FILES: tags}))
            for record in reversed(records):
                attempts[record.dagster_run.tags[FILES]].append(_attempt(record))
        return attempts

    @cached_property
    def busy_days(self) -> set[dt.date]:
        """Days for which any run is in progress, or waits for its turn."""
        runs = self.instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
        return {day for run in runs for day in _days_of(run.tags)}

    @cached_property
    def is_busy(self) -> bool:
        """Whether any run of a day is unfinished, or a backfill, which starts its runs in turn."""
        requested = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
        return bool(self.busy_days or self.instance.get_backfills(filters=requested, limit=1))

    def request_range(
        self, job: str, days: Sequence[dt.date], assets: Iterable[str]
    ) -> list[dg.RunRequest]:
        """Request one run for the first of some days and those near it.

        Args:
            job: The job to run.
            days: The days that need it, ascending; none need nothing.
            assets: The assets that are made; other inputs of theirs are another intent.
        """
        if not days:
            return []
        near = [day for day in days if (day - days[0]).days < MAX_DAYS_PER_RUN]
        inputs = (self.records.inputs(asset, day) for asset in assets for day in near)
        intent = RunIntent(job, near[0], near[-1], fingerprint(map(fingerprint_of_inputs, inputs)))
        attempts = tuple(self.attempts([intent])[intent.tag])
        arrival = Arrival(near[0], self.now, True, used=False, busy=False, attempts=attempts)
        return self.follow(intent, arrival, {near[0]})

    def follow(
        self, intent: RunIntent, arrival: Arrival, partitions: set[dt.date]
    ) -> list[dg.RunRequest]:
        """Decide on an intent, and do what follows: request a run, remember, or give up."""
        decision = decide_run(arrival, partitions, self.now)
        self.decisions[decision] += 1
        if decision is RunDecision.RUN:
            return [intent.request(len(arrival.attempts) + 1)]
        if decision is RunDecision.REFUSED:
            self._report_refusal(intent)
        if decision is RunDecision.GIVEN_UP:
            self._give_up(intent, len(arrival.attempts))
        return []

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
        self.observations.append(dg.AssetObservation("user_activity", message, partition=str(day)))

    def _give_up(self, intent: RunIntent, attempts: int) -> None:
        if intent.tag in self.cursor.warned:
            return
        self.cursor.warned.add(intent.tag)
        message = (
            f"Giving up on {intent.first} to {intent.last} after {attempts} failed runs of "
            f"{intent.job} for unchanged input files. Fix the cause, then launch the run manually."
        )
        self._report(intent.first, message)


def _attempt(record: RunRecord) -> Attempt:
    outcome = _OUTCOMES.get(record.dagster_run.status, Outcome.RUNNING)
    at = record.end_time or record.create_timestamp.timestamp()
    return Attempt(outcome, dt.datetime.fromtimestamp(at, dt.UTC))


def _days_of(tags: Mapping[str, str]) -> list[dt.date]:
    """Days of a run, by its tags; none where other code has partitions that are no days."""
    first = tags.get(RANGE_START) or tags.get(_PARTITION, "")
    last = tags.get(RANGE_END) or first
    try:
        start, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    except ValueError:
        return []
    return [start + dt.timedelta(days=n) for n in range((end - start).days + 1)]
