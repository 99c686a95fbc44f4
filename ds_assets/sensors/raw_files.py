"""Runs of days whose raw files have arrived in the lake, or have changed.

Scope: looking at the container, a bounded number of days at a time.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

import dagster as dg

from ds_assets.core.arrivals import Arrival, Attempt
from ds_assets.core.lineage import RAW_LOGS, days_behind_predictions
from ds_assets.core.run_order import MAX_DAYS_PER_RUN, rank
from ds_assets.infra.lake.base import day_folder, day_of
from ds_assets.infra.lake.raw_logs import RAW, RawObject, fingerprint, raw_objects
from ds_assets.sensors.given_up import is_resolved
from ds_assets.sensors.run_requests import RunIntent, SensorEvaluation

NEWEST_DAYS = 7
"""Days that each evaluation looks at; it takes turns with the others."""
OTHER_DAYS = 40
"""Days that an evaluation looks at besides the newest."""
_MAX_NAMES_PER_WARNING = 100

Files = Mapping[dt.date, Sequence[RawObject]]


def request_new_days(evaluation: SensorEvaluation, job: str) -> list[dg.RunRequest]:
    """Request runs of days whose files are new or have changed; see `core.run_order`."""
    days = _list_days(evaluation)
    newest = max(days, default=evaluation.game.first_day)
    files = _look(evaluation, days)
    recorded = evaluation.records.recorded_days("user_activity")
    marks = {day: it.inputs for day, it in recorded.items() if it.is_marked}
    intents = {
        day: RunIntent(job, day, day, f"{fingerprint(objects)}{marks.get(day, '')}")
        for day, objects in files.items()
    }
    stored = files.keys() & recorded.keys()
    evaluation.records.refresh_raw_content({day: files[day] for day in stored})
    attempts = evaluation.attempts(intents.values())
    arrivals = {
        day: _arrival(evaluation, intent, files[day], attempts[intent.tag])
        for day, intent in intents.items()
    }
    return evaluation.request_days(job, intents, arrivals, newest)


def _list_days(evaluation: SensorEvaluation) -> list[dt.date]:
    """The days with a folder in the lake, ascending, without those whose tables were removed."""
    entries = evaluation.lake.entries(RAW)
    _warn_unexpected_folders(evaluation, [name for name in entries if day_of(name) is None])
    first = evaluation.records.first_kept_day
    return sorted(day for day in map(day_of, entries) if day is not None and day >= first)


def _look(evaluation: SensorEvaluation, days: Sequence[dt.date]) -> dict[dt.date, list[RawObject]]:
    """Files of the newest days, of those to be made next, and of some others in turn.

    Args:
        evaluation: The evaluation.
        days: The days with a folder in the lake, ascending.
    """
    cursor, others = evaluation.cursor, days[:-NEWEST_DAYS]
    chosen = _find_days_to_make(evaluation, days)
    ahead = [day for day in others if day >= cursor.next]
    in_turn = (ahead + [day for day in others if day < cursor.next])[: OTHER_DAYS - len(chosen)]
    cursor.next = in_turn[-1] + dt.timedelta(days=1) if in_turn else dt.date.min
    looked_at = sorted({*chosen, *in_turn, *days[-NEWEST_DAYS:]})
    files = {day: raw_objects(day, evaluation.lake) for day in looked_at}
    _warn_deleted_days(evaluation, set(days), files)
    return {day: objects for day, objects in files.items() if objects}


def _find_days_to_make(evaluation: SensorEvaluation, days: Sequence[dt.date]) -> list[dt.date]:
    """Find the days for the next run among those of which nothing is stored, or that are marked."""
    game, records = evaluation.game, evaluation.records.recorded_days("user_activity")
    recorded = {day for day, record in records.items() if not record.is_marked}
    given_up = {RunIntent.of_tag(tag).first for tag in evaluation.cursor.given_up}
    newest = max(days, default=game.first_day)
    last = game.last_day or newest
    new = [day for day in days if day not in recorded | given_up and game.first_day <= day <= last]
    block_days = days_behind_predictions(game)
    return sorted(new, key=lambda day: rank(day, newest, block_days))[:MAX_DAYS_PER_RUN]


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
) -> Arrival:
    day, records = intent.first, evaluation.records
    newest = max(file.stored.modified for file in files)
    if attempts and (day in records.accepted_days() or is_resolved(intent, records)):
        attempts = ()  # they failed because the day was refused, or a person has run it since
    return Arrival(
        day=day,
        newest=newest,
        complete=_is_complete(evaluation, day, files),
        used=day in records.current_days("user_activity"),
        busy=day in evaluation.busy_days,
        attempts=tuple(attempts),
        refused=day in records.refused_days(),
    )


def _is_complete(
    evaluation: SensorEvaluation, day: dt.date, files: Sequence[RawObject]
) -> bool | None:
    """Whether the day is complete, by its marker and the kinds of its logs.

    None with all kinds, but without markers, or with an old one.
    """
    form = evaluation.game.logs
    if form.missing_kinds(file.name for file in files):
        return False
    if form.marker is None:
        return None
    folder = day_folder(RAW, day)
    markers = [it for it in evaluation.lake.objects(folder) if it.name == f"{folder}/{form.marker}"]
    if not markers:
        return False
    newest = max(file.stored.modified for file in files)
    return True if markers[0].modified >= newest else None
