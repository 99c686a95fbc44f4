"""Runs of days whose raw files have arrived in the lake, or have changed.

Scope: looking at the container, a bounded number of days at a time.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

import dagster as dg

from ds_assets.core.arrivals import Arrival, Attempt
from ds_assets.core.lineage import RAW_LOGS
from ds_assets.infra.lake.base import day_folder, day_of
from ds_assets.infra.lake.raw_logs import MANIFEST, RAW, RawObject, fingerprint, raw_objects
from ds_assets.partitions import daily_partitions
from ds_assets.sensors.run_requests import RunIntent, SensorEvaluation

MAX_RUNS_PER_EVALUATION = 5
NEWEST_DAYS = 7
"""Days that each evaluation looks at; it takes turns with the others."""
OTHER_DAYS = 40
"""Days that an evaluation looks at besides the newest."""
_MAX_NAMES_PER_WARNING = 100

Files = Mapping[dt.date, Sequence[RawObject]]


def request_new_days(evaluation: SensorEvaluation, job: str) -> list[dg.RunRequest]:
    """Request runs of days whose files are new or have changed, oldest first."""
    files = _look(evaluation)
    intents = {
        day: RunIntent(job, day, day, fingerprint(objects)) for day, objects in files.items()
    }
    stored = files.keys() & evaluation.records.recorded_days("user_activity").keys()
    evaluation.records.refresh_raw_content({day: files[day] for day in stored})
    attempts, busy = evaluation.attempts(intents.values()), evaluation.busy_days
    keys = daily_partitions(evaluation.game).get_partition_keys()
    partitions = set(map(dt.date.fromisoformat, keys))
    requests = []
    for day, intent in sorted(intents.items()):
        arrival = _arrival(evaluation, intent, files[day], attempts[intent.tag], busy=day in busy)
        requests += evaluation.follow(intent, arrival, partitions)
    return requests[:MAX_RUNS_PER_EVALUATION]


def _look(evaluation: SensorEvaluation) -> dict[dt.date, list[RawObject]]:
    """Files of the newest days, and of some others in turn."""
    lake, cursor = evaluation.lake, evaluation.cursor
    entries = lake.entries(RAW)
    _warn_unexpected_folders(evaluation, [name for name in entries if day_of(name) is None])
    days = sorted(filter(None, map(day_of, entries)))
    others = days[:-NEWEST_DAYS]
    ahead = [day for day in others if day >= cursor.next]
    chosen = (ahead + [day for day in others if day < cursor.next])[:OTHER_DAYS]
    cursor.next = chosen[-1] + dt.timedelta(days=1) if chosen else dt.date.min
    files = {day: raw_objects(day, lake) for day in [*chosen, *days[-NEWEST_DAYS:]]}
    _warn_deleted_days(evaluation, set(days), files)
    return {day: objects for day, objects in files.items() if objects}


def _warn_unexpected_folders(evaluation: SensorEvaluation, names: Sequence[str]) -> None:
    warned = evaluation.cursor.warned
    new = [name for name in names[:_MAX_NAMES_PER_WARNING] if name not in warned]
    if new:
        warned.update(new)
        evaluation.warnings.append(
            f"Ignoring {', '.join(f'{RAW}/{name}' for name in new)}: not a partition folder "
            "(expected dt=YYYY-MM-DD)."
        )


def _warn_deleted_days(evaluation: SensorEvaluation, days: set[dt.date], files: Files) -> None:
    """Warn once of recorded raw files that are gone, and forget them."""
    remaining = days - {day for day, objects in files.items() if not objects}
    deleted = sorted(evaluation.records.recorded_days(RAW_LOGS).keys() - remaining)
    if deleted:
        evaluation.records.withdraw(RAW_LOGS, deleted)
        named = f"{deleted[0]}" if len(deleted) == 1 else f"{deleted[0]} to {deleted[-1]}"
        evaluation.warnings.append(
            f"The raw files of {named} were deleted; the data made from them is kept."
        )


def _arrival(
    evaluation: SensorEvaluation,
    intent: RunIntent,
    files: Sequence[RawObject],
    attempts: Sequence[Attempt],
    *,
    busy: bool,
) -> Arrival:
    newest = max(file.stored.modified for file in files)
    used = intent.first in evaluation.records.current_days("user_activity")
    complete = _is_complete(evaluation, intent.first, newest)
    refused = intent.first in evaluation.records.refused_days()
    if intent.first in evaluation.records.accepted_days():
        attempts = ()  # they failed because the day was refused
    return Arrival(intent.first, newest, complete, used, busy, tuple(attempts), refused)


def _is_complete(evaluation: SensorEvaluation, day: dt.date, newest: dt.datetime) -> bool | None:
    """Whether a marker says that the day is complete; None without markers, or with an old one."""
    marker = evaluation.game.logs.marker
    if marker is None:
        return None
    names = {f"{day_folder(RAW, day)}/{name}" for name in (marker, MANIFEST)}
    objects = evaluation.lake.objects(day_folder(RAW, day))
    markers = [item.modified for item in objects if item.name in names]
    if not markers:
        return False
    return True if max(markers) >= newest else None
