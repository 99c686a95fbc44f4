"""The sensor on the lake's container: a day whose raw files arrived or changed is run.

Belongs here: looking at the container and at Dagster's runs, a bounded part of it at a time, and
asking for runs. When a day asks for one is `core.arrivals`' rule; what a run does is a job.

Nothing that matters is in the cursor. What was used is in the lake, what was asked for is in the
runs' tags; the cursor saves looking again, and telling twice.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster import RunRecord
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from pydantic import BaseModel, ValidationError

from ds_assets.assets import prediction_outcomes
from ds_assets.assets.user_activity import read_report
from ds_assets.core import features
from ds_assets.core.arrivals import Arrival, Attempt, Outcome, RunDecision, decide_run, outdated
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake, day_folder, day_of
from ds_assets.infra.lake.raw_logs import MANIFEST, RAW, RawObject, fingerprint, raw_objects
from ds_assets.infra.lake.tables import stored_days
from ds_assets.partitions import daily_partitions
from ds_assets.runs import RANGE_END, RANGE_START, end_killed_runs

MOST_RUNS_A_TICK = 5
NEWEST_DAYS = 7
"""Days that each tick looks at; it looks at others in turns."""
OTHER_DAYS = 40
"""Days that a tick looks at beside the newest."""
MOST_DAYS_A_RUN = 31
EVERY_SECONDS = 30
FILES = "ds_assets/raw_files"
"""Tag of a run: the day and the fingerprint of the files that it was asked for."""

_MOST_TOLD = 100
"""Names that are no days, of which a tick speaks."""
_PARTITION = "dagster/partition"
_OUTCOMES = {
    dg.DagsterRunStatus.SUCCESS: Outcome.SUCCEEDED,
    dg.DagsterRunStatus.FAILURE: Outcome.FAILED,
    dg.DagsterRunStatus.CANCELED: Outcome.FAILED,
}


class Cursor(BaseModel):
    """What the sensor remembers from tick to tick.

    Attributes:
        done: Fingerprint of the files of days about which nothing is to be done.
        next: Day from which on the next tick looks at older days.
        told: What has been said, and is not to be said again.
    """

    done: dict[dt.date, str] = {}
    next: dt.date = dt.date.min
    told: set[str] = set()


@dataclass(frozen=True)
class Wish:
    """A run that is wanted, for days from first to last.

    Attributes:
        job: The job to run.
        first: First day.
        last: Last day.
        files: What it is for; a change of it makes another wish.
    """

    job: str
    first: dt.date
    last: dt.date
    files: str

    @property
    def tag(self) -> str:
        """What the runs of this wish have in common."""
        days = f"{self.first}" if self.first == self.last else f"{self.first}...{self.last}"
        return f"{self.job}/{days}/{self.files}"

    def request(self, attempt: int) -> dg.RunRequest:
        """The request of its next run."""
        tags = {FILES: self.tag}
        key = f"{self.tag}/{attempt}"
        if self.first == self.last:
            return dg.RunRequest(key, job_name=self.job, partition_key=str(self.first), tags=tags)
        tags |= {RANGE_START: str(self.first), RANGE_END: str(self.last)}
        return dg.RunRequest(key, job_name=self.job, tags=tags)


def raw_files_sensor(
    game: Game, predict: Any, predict_again: Any, judge_predictions: Any
) -> dg.SensorDefinition:
    """Watches the lake's raw files.

    Args:
        game: Its days, and the marker of a complete day.
        predict: Job of a day whose raw files are new or have changed.
        predict_again: Job of the days after it that its activity reaches.
        judge_predictions: Job of the days before it whose horizon is over with it.
    """

    @dg.sensor(
        name="raw_files",
        jobs=[predict, predict_again, judge_predictions],
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs a day when its raw files arrive in the lake or change.",
    )
    def raw_files(
        context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]
    ) -> dg.SensorResult | dg.SkipReason:
        end_killed_runs(context.instance)
        tick = Tick(game, lake, context.instance, read_cursor(context.cursor), clock())
        requests = (
            tick.new_days(predict.name)
            or tick.days_after(predict_again.name)
            or tick.days_before(judge_predictions.name)
        )
        for sentence in tick.news:
            context.log.warning(sentence)
        skip = None if requests else "; ".join([*tick.news, tick.summary()])
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=skip,
            cursor=tick.cursor.model_dump_json(),
            asset_events=tick.observations,
        )

    return raw_files


def clock() -> dt.datetime:
    """The time."""
    return dt.datetime.now(dt.UTC)


def read_cursor(text: str | None) -> Cursor:
    """What a cursor holds; nothing where it is lost or broken, and then it is found out again."""
    try:
        return Cursor.model_validate_json(text or "{}")
    except ValidationError:
        return Cursor()


class Tick:
    """One look at the container.

    Attributes:
        cursor: What is to be remembered after it.
        news: What is to be said, once.
        observations: What is to be said at the asset as well.
    """

    def __init__(
        self, game: Game, lake: Lake, instance: dg.DagsterInstance, cursor: Cursor, now: dt.datetime
    ) -> None:
        self._game = game
        self._lake = lake
        self._instance = instance
        self._now = now
        self._verdicts: Counter[RunDecision] = Counter()
        self.cursor = cursor.model_copy(deep=True)
        self.news: list[str] = []
        self.observations: list[dg.AssetObservation] = []

    def new_days(self, job: str) -> list[dg.RunRequest]:
        """Runs of days whose files are new or have changed, the oldest first."""
        found = self._look()
        wishes = {day: Wish(job, day, day, fingerprint(files)) for day, files in found.items()}
        open_ = {d: w for d, w in wishes.items() if self.cursor.done.get(d) != w.files}
        attempts, busy = self._attempts(open_.values()), self._busy_days()
        partitions = daily_partitions(self._game).get_partition_keys()
        known = set(map(dt.date.fromisoformat, partitions))
        requests = []
        for day, wish in sorted(open_.items()):
            arrival = self._arrival(wish, found[day], attempts[wish.tag], busy=day in busy)
            requests += self._follow(wish, arrival, decide_run(arrival, known, self._now))
        return requests[:MOST_RUNS_A_TICK]

    def days_after(self, job: str) -> list[dg.RunRequest]:
        """A run of stored days whose features are older than the activity that they are made of.

        While runs are under way it waits: one refresh is enough for all of them.
        """
        if self._busy_days():
            return []
        times = {
            table: [(day, one.modified) for day, one in stored_days(table, self._lake).items()]
            for table in ("user_activity", "user_features", "predictions")
        }
        activity, known, predicted = times.values()
        reach = (dt.date.max - features.arrival_days(dt.date.max, self._game)[0]).days
        late = {*outdated(known, activity, reach), *outdated(predicted, known, 0)}
        if not late:
            return []
        return self._wish_for(job, sorted(late), max(at for _, at in activity))

    def days_before(self, job: str) -> list[dg.RunRequest]:
        """A run of stored predictions whose horizon is over, and that were not judged since."""
        if self._busy_days():
            return []
        due, newest = prediction_outcomes.due(self._lake, self._game)
        return self._wish_for(job, due, newest) if due else []

    def _wish_for(
        self, job: str, days: Sequence[dt.date], newest: dt.datetime
    ) -> list[dg.RunRequest]:
        """One run of the first of some days, and of those that are near; newest is its cause."""
        first = days[0]
        last = max(day for day in days if (day - first).days < MOST_DAYS_A_RUN)
        wish = Wish(job, first, last, f"{newest:%Y%m%dT%H%M%S}")
        tried = tuple(self._attempts([wish])[wish.tag])
        arrival = Arrival(first, self._now, True, used=False, busy=False, attempts=tried)
        return self._follow(wish, arrival, decide_run(arrival, {first}, self._now))

    def summary(self) -> str:
        """What became of the days that this tick looked at, in words."""
        said = [
            f"{count} {verdict.value}"
            for verdict, count in self._verdicts.items()
            if verdict is not RunDecision.DONE
        ]
        return f"{self._lake}/{RAW}: " + (", ".join(said) or "nothing is new")

    def _look(self) -> dict[dt.date, list[RawObject]]:
        """Files of some days: those of the newest, and of others in turns."""
        entries = self._lake.entries(RAW)
        self._tell_strangers([name for name in entries if day_of(name) is None])
        days = sorted(filter(None, map(day_of, entries)))
        others = days[:-NEWEST_DAYS]
        ahead = [day for day in others if day >= self.cursor.next]
        chosen = (ahead + [day for day in others if day < self.cursor.next])[:OTHER_DAYS]
        self.cursor.next = chosen[-1] + dt.timedelta(days=1) if chosen else dt.date.min
        found = {day: raw_objects(day, self._lake) for day in [*chosen, *days[-NEWEST_DAYS:]]}
        self._tell_gone(set(days), found)
        return {day: files for day, files in found.items() if files}

    def _tell_strangers(self, names: Sequence[str]) -> None:
        new = [name for name in names[:_MOST_TOLD] if name not in self.cursor.told]
        if new:
            self.cursor.told.update(new)
            self.news.append(
                f"{RAW}/ holds {', '.join(new)}, which are no folders of days, as dt=2026-01-31 "
                "is, and are left out"
            )

    def _tell_gone(self, days: set[dt.date], found: Mapping[dt.date, Sequence[RawObject]]) -> None:
        empty = {day for day, files in found.items() if not files}
        for day in sorted(set(self.cursor.done) & ((set(self.cursor.done) - days) | empty)):
            del self.cursor.done[day]
            self.news.append(f"the raw files of {day} are gone; what was made of them stays")

    def _arrival(
        self,
        wish: Wish,
        files: Sequence[RawObject],
        attempts: Sequence[Attempt],
        *,
        busy: bool,
    ) -> Arrival:
        newest = max(one.stored.modified for one in files)
        report = read_report(wish.first, self._lake)
        used = report is not None and report.raw_fingerprint == wish.files
        complete = self._complete(wish.first, newest)
        return Arrival(wish.first, newest, complete, used, busy, tuple(attempts))

    def _complete(self, day: dt.date, newest: dt.datetime) -> bool | None:
        """Whether a marker says that the day is complete; none without markers, or an old one."""
        if self._game.logs.marker is None:
            return None
        names = {f"{day_folder(RAW, day)}/{name}" for name in (self._game.logs.marker, MANIFEST)}
        objects = self._lake.objects(day_folder(RAW, day))
        markers = [one.modified for one in objects if one.name in names]
        if not markers:
            return False
        return True if max(markers) >= newest else None

    def _follow(self, wish: Wish, arrival: Arrival, verdict: RunDecision) -> list[dg.RunRequest]:
        self._verdicts[verdict] += 1
        if verdict is RunDecision.RUN:
            return [wish.request(len(arrival.attempts) + 1)]
        if verdict is RunDecision.DONE:
            self.cursor.done[wish.first] = wish.files
        if verdict is RunDecision.GIVEN_UP:
            self._give_up(wish, len(arrival.attempts))
        return []

    def _give_up(self, wish: Wish, attempts: int) -> None:
        sentence = (
            f"gave up {wish.first} to {wish.last} after {attempts} failed runs of {wish.job} for "
            "the same files; run it by hand when its cause is mended"
        )
        if wish.tag not in self.cursor.told:
            self.cursor.told.add(wish.tag)
            self.news.append(sentence)
            seen = dg.AssetObservation("user_activity", sentence, partition=str(wish.first))
            self.observations.append(seen)

    def _attempts(self, wishes: Iterable[Wish]) -> Mapping[str, list[Attempt]]:
        """Runs of each wish's tag, the oldest first."""
        found: defaultdict[str, list[Attempt]] = defaultdict(list)
        tags = [wish.tag for wish in wishes]
        if tags:
            records = self._instance.get_run_records(dg.RunsFilter(tags={FILES: tags}))
            for record in reversed(records):
                found[record.dagster_run.tags[FILES]].append(_attempt(record))
        return found

    def _busy_days(self) -> set[dt.date]:
        runs = self._instance.get_runs(dg.RunsFilter(statuses=list(IN_PROGRESS_RUN_STATUSES)))
        return {day for run in runs for day in _days_of(run.tags)}


def _attempt(record: RunRecord) -> Attempt:
    outcome = _OUTCOMES.get(record.dagster_run.status, Outcome.RUNNING)
    at = record.end_time or record.create_timestamp.timestamp()
    return Attempt(outcome, dt.datetime.fromtimestamp(at, dt.UTC))


def _days_of(tags: Mapping[str, str]) -> list[dt.date]:
    """Days that a run is for, by its tags."""
    first = tags.get(RANGE_START) or tags.get(_PARTITION)
    last = tags.get(RANGE_END) or first
    if first is None or last is None:
        return []
    start, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    return [start + dt.timedelta(days=n) for n in range((end - start).days + 1)]
