"""The sensor `log_source`: looks at the log source and collects what is new there.

It compares the source's listing with the manifests of the copies, and downloads nothing itself. It
looks at the newest days, whose files may come late, and at all days that the lake lacks. So an
outage of the source, a late upload or a pause of the daemon needs no hand. A schedule, which
evaluates a day once, would miss what comes after its time of day.
"""

import datetime as dt
import time
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import dagster as dg

from ds_assets.core.arrivals import Arrival, Attempt
from ds_assets.core.day_ranges import list_days
from ds_assets.core.lineage import days_behind_predictions
from ds_assets.core.provenance import fingerprint
from ds_assets.core.run_order import MAX_DAYS_PER_RUN, rank
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.errors import InputError, Unavailable
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.raw_logs import (
    Manifest,
    SourceDay,
    describe_lacking,
    list_source_day,
    read_manifest,
)
from ds_assets.infra.log_source.base import DailyFiles, LogSource
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.missing_days import describe_missing_days, find_holes, find_missing_days
from ds_assets.jobs import Job
from ds_assets.sensors.given_up import report_given_up
from ds_assets.sensors.run_requests import RunIntent, SensorEvaluation
from ds_assets.sensors.sensor import clock
from ds_assets.sensors.skipping import skip_on_errors
from ds_assets.settings import Settings

CHECK = "has_no_missing_days"
INTERVAL_SECONDS = 60
LOOK_INTERVAL = dt.timedelta(minutes=10)
"""The source is looked at this often while it has nothing new: each look costs requests."""
MAX_LOOK_SECONDS = 20.0
"""Time for listing days; Dagster ends an evaluation after a minute."""


def log_source_sensor(game: Game, collect: Job, settings: Settings) -> dg.SensorDefinition:
    """The sensor on the log source.

    Args:
        game: Its days and its time zone.
        collect: The job that copies days.
        settings: The hour from which a day is collected, and how many days are looked at again.
    """

    @dg.sensor(
        name="log_source",
        job=collect,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Copies the files of days that are new in the log source, or have changed.",
    )
    @skip_on_errors
    def look_at_source(
        context: dg.SensorEvaluationContext,
        log_source: dg.ResourceParam[LogSource],
        lake: dg.ResourceParam[Lake],
    ) -> dg.SensorResult:
        evaluation = SensorEvaluation.begin(context, game, lake, clock())
        report_given_up(evaluation, [collect.name])
        requests = request_collection(evaluation, log_source, settings, collect.name)
        return evaluation.result(str(log_source), requests, context.log)

    return look_at_source


def find_newest_due_day(game: Game, hour: int, now: dt.datetime) -> dt.date:
    """The newest day that is collected: each is from an hour of the next day on, in its zone."""
    local = now.astimezone(ZoneInfo(game.time_zone))
    newest = local.date() - dt.timedelta(days=1 if local.hour >= hour else 2)
    return min(newest, game.last_day or newest)


def request_collection(
    evaluation: SensorEvaluation, source: LogSource, settings: Settings, job: str
) -> list[dg.RunRequest]:
    """Request runs of days whose files in the source are not those that were copied."""
    cursor = evaluation.cursor
    newest = find_newest_due_day(evaluation.game, settings.schedule_hour, evaluation.now)
    is_collecting = any(run.job_name == job for run in evaluation.unfinished_runs)
    is_early = evaluation.now - cursor.source_checked < LOOK_INTERVAL
    if newest < evaluation.game.first_day or is_collecting or is_early:
        return []
    try:
        recent = _find_recent_days(evaluation, newest, settings.recheck_days)
        return _look(evaluation, source, recent, newest, job)
    except (InputError, Unavailable) as error:
        cursor.source_checked = evaluation.now
        evaluation.warnings.append(f"The log source cannot be looked at: {error}")
        return []


def missing_days_result(days: Sequence[dt.date], source: str) -> dg.AssetCheckResult:
    """The result of the check of missing days."""
    return dg.AssetCheckResult(
        passed=not days,
        severity=dg.AssetCheckSeverity.WARN,
        description=describe_missing_days(days, source),
        metadata={"missing_days": len(days)},
    )


def _find_recent_days(
    evaluation: SensorEvaluation, newest: dt.date, recheck_days: int
) -> list[dt.date]:
    """The days whose files may have come late, since they were last looked at, ascending."""
    last = min(evaluation.cursor.source_checked_until, newest)
    first = max(last - dt.timedelta(days=recheck_days - 1), evaluation.game.first_day)
    return list_days(first, newest)[:MAX_DAYS_PER_RUN]


def _look(
    evaluation: SensorEvaluation,
    source: LogSource,
    recent: Sequence[dt.date],
    newest: dt.date,
    job: str,
) -> list[dg.RunRequest]:
    cursor, game = evaluation.cursor, evaluation.game
    folders = DayFolders(source)
    made_days = evaluation.records.recorded_days("user_activity")
    holes = find_holes(newest, made_days, evaluation.lake, game)
    _report_missing_days(evaluation, find_missing_days(holes, folders, game), source)
    chosen = _choose_holes(evaluation, folders.find_days(holes), newest)
    listed = _list_days(sorted({*folders.find_days(recent), *chosen}), folders, game)
    _warn_misnamed(evaluation, folders)
    intents = {day: RunIntent(job, day, day, it.fingerprint) for day, it in listed.items()}
    attempts = evaluation.attempts(intents.values())
    arrivals = {
        day: _arrival(evaluation, day, listed[day], attempts[intent.tag])
        for day, intent in intents.items()
    }
    requests = evaluation.request_days(job, intents, arrivals, newest)
    if not requests:
        cursor.source_checked = evaluation.now
        cursor.source_checked_until = recent[-1]
        cursor.next = chosen[-1] if len(chosen) == MAX_DAYS_PER_RUN else dt.date.min
    return requests


def _choose_holes(
    evaluation: SensorEvaluation, days: Iterable[dt.date], newest: dt.date
) -> list[dt.date]:
    """The next days to collect, in the order of `core.run_order`.

    If none of them can be collected, the next look continues after them.
    """
    block_days = days_behind_predictions(evaluation.game)
    ordered = sorted(days, key=lambda day: rank(day, newest, block_days))
    after = ordered.index(evaluation.cursor.next) + 1 if evaluation.cursor.next in ordered else 0
    return (ordered[after:] + ordered[:after])[:MAX_DAYS_PER_RUN]


def _list_days(days: Iterable[dt.date], source: DailyFiles, game: Game) -> dict[dt.date, SourceDay]:
    """List the days that have logs, as far as there is time."""
    end = time.monotonic() + MAX_LOOK_SECONDS
    listed = {}
    for day in days:
        files = list_source_day(day, source, game.logs)
        if files.logs:
            listed[day] = files
        if time.monotonic() > end:
            break
    return listed


def _arrival(
    evaluation: SensorEvaluation, day: dt.date, files: SourceDay, attempts: Sequence[Attempt]
) -> Arrival:
    form = evaluation.game.logs
    is_lacking = bool(describe_lacking(files, form))
    return Arrival(
        day=day,
        newest=max(log.modified for log in files.logs),
        complete=not is_lacking if form.marker or is_lacking else None,
        used=_read_copied(day, evaluation.lake).fingerprint == files.fingerprint,
        busy=day in evaluation.busy_days,
        attempts=tuple(attempts),
    )


def _read_copied(day: dt.date, lake: Lake) -> Manifest:
    try:
        return read_manifest(day, lake)
    except DamagedDayError:  # the run that copies the day again reports it
        return Manifest(day=day)


def _report_missing_days(
    evaluation: SensorEvaluation, days: Sequence[dt.date], source: LogSource
) -> None:
    """Update the check of missing days, with a warning, when they are others than before."""
    present = fingerprint(map(str, days)) if days else ""
    if present == evaluation.cursor.missing_days:
        return
    evaluation.cursor.missing_days = present
    result = missing_days_result(days, str(source))
    if days:
        evaluation.warnings.append(str(result.description))
    evaluation.report_check("raw_logs", CHECK, result)


def _warn_misnamed(evaluation: SensorEvaluation, folders: DayFolders) -> None:
    """Warn once of folders that look like days."""
    for warning in folders.describe_misnamed():
        key = fingerprint([warning])
        if key not in evaluation.cursor.warned:
            evaluation.cursor.warned.add(key)
            evaluation.warnings.append(warning)
