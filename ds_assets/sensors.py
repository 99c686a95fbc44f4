"""The sensor on the lake's container: a day whose raw files arrived or changed is run.

Belongs here: which days ask for a run. What the run does is a job.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg

from ds_assets.assets.user_activity import read_report
from ds_assets.game import Game
from ds_assets.jobs import PREDICT
from ds_assets.partitions import daily_partitions
from ds_assets.resources.configurable import LakeResource
from ds_assets.resources.ingestion import RAW, fingerprint, raw_objects
from ds_assets.resources.lake import Lake

SETTLED_AFTER = dt.timedelta(seconds=60)
"""A day is left alone while its newest file is younger: more of it may be on the way."""
MOST_RUNS_A_TICK = 5
EVERY_SECONDS = 30


@dataclass(frozen=True)
class RawDay:
    """A day's raw files as they are, and as they were when they were last used.

    Attributes:
        day: The day.
        fingerprint: Changes with any of its files.
        used: Fingerprint of the files that the stored `user_activity` was made of.
        asked: Fingerprint for which a run was asked last.
        newest: When the newest file came.
    """

    day: dt.date
    fingerprint: str
    used: str | None
    asked: str | None
    newest: dt.datetime


def days_to_run(
    days: Iterable[RawDay], partitions: Iterable[dt.date], now: dt.datetime
) -> list[RawDay]:
    """Days that a run should be asked for, the oldest first.

    A day is asked for when its files have settled, are not those that were used, and no run was
    asked for with just these files. A day without a partition is held until it has one.
    """
    known = set(partitions)
    return [
        one
        for one in sorted(days, key=lambda one: one.day)
        if one.day in known
        and one.fingerprint not in (one.used, one.asked)
        and now - one.newest >= SETTLED_AFTER
    ]


def raw_files_sensor(game: Game) -> dg.SensorDefinition:
    """Watches the lake's raw files."""
    partitions = daily_partitions(game)

    @dg.sensor(
        name="raw_files",
        job_name=PREDICT,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs a day when its raw files arrive in the lake or change.",
    )
    def raw_files(
        context: dg.SensorEvaluationContext, lake: LakeResource
    ) -> dg.SensorResult | dg.SkipReason:
        asked = read_cursor(context.cursor)
        known = [dt.date.fromisoformat(key) for key in partitions.get_partition_keys()]
        days = [raw_day(day, asked, lake.open()) for day in lake.open().days(RAW)]
        found = days_to_run((day for day in days if day), known, dt.datetime.now(dt.UTC))
        if not found:
            return dg.SkipReason(f"no raw files in {lake.folder} are new, changed and settled")
        chosen = found[:MOST_RUNS_A_TICK]
        asked |= {str(one.day): one.fingerprint for one in chosen}
        return dg.SensorResult(run_requests=_requests(chosen), cursor=json.dumps(asked))

    return raw_files


def raw_day(day: dt.date, asked: Mapping[str, str], lake: Lake) -> RawDay | None:
    """What the lake holds of a day; None for a day without files."""
    objects = raw_objects(day, lake)
    if not objects:
        return None
    report = read_report(day, lake)
    return RawDay(
        day,
        fingerprint(objects),
        used=None if report is None else report.raw_fingerprint,
        asked=asked.get(str(day)),
        newest=max(one.stored.modified for one in objects),
    )


def read_cursor(cursor: str | None) -> dict[str, str]:
    """Fingerprints that runs were asked for, by day; none where the cursor is lost or broken.

    Nothing is run twice for that: what was used is remembered in the lake.
    """
    try:
        content = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in content.items()} if isinstance(content, dict) else {}


def _requests(days: Iterable[RawDay]) -> list[dg.RunRequest]:
    return [
        dg.RunRequest(run_key=f"{PREDICT}/{one.day}/{one.fingerprint}", partition_key=str(one.day))
        for one in days
    ]
