"""Activity that arrived on a day: a row per user and event date; bad lines are quarantined."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

import dagster as dg
import pandas as pd

from ds_assets.core import activity, events
from ds_assets.core.activity_checks import find_problems
from ds_assets.core.activity_report import ActivityReport, TypeLines, UnreadableFile
from ds_assets.core.engine import DataFrame
from ds_assets.core.game_tables import stored_activity_table, user_activity_table
from ds_assets.core.lineage import lineage_of
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.tables import EVENT_IDS, QUARANTINE
from ds_assets.core.unreadable_files import RawFileLines, estimate_lost_lines
from ds_assets.core.verdicts import Decision, decide_by_checks
from ds_assets.core.zip_archives import archive_numbers
from ds_assets.daily_assets import (
    EVENT_IDS_POOL,
    daily_asset,
    days_of,
    in_batches,
    leave_out,
    recording,
    report_days,
    table_schema,
    warn,
)
from ds_assets.game import Game
from ds_assets.infra.engines.base import EventReader, LakeEngine
from ds_assets.infra.lake.activity_reports import read_report, store_report
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.event_ids import find_days_after, find_sharing_days
from ds_assets.infra.lake.provenance import Recording, Records, stored_content
from ds_assets.infra.lake.raw_logs import RawDay, fingerprint, list_raw_day
from ds_assets.infra.lake.tables import between, stored_days
from ds_assets.infra.lake.verdicts import list_verdicts, read_verdict, store_verdict

TABLE = "user_activity"
BATCH_BYTES = 16 << 20
"""Raw bytes that are read at once; a larger day is read by itself."""

_EVENT = "event"  # stands for a missing reason
_NO_LINES = {events.NOTHING, events.LEFT_OUT}  # reasons of lines that are not the game's
_NO_QUARANTINE = {_EVENT, events.DUPLICATE}
_NO_EVENTS = {"rows": 0, "users": 0, "events": 0, "late_events": 0}


def materialize_days(
    days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, ActivityReport]:
    """Compute and store the `user_activity` and the quarantine of days.

    Stored later days that repeat events which a day has gained or lost are marked to be made again.

    Returns:
        A report for each day; days without raw files are missing.
    """
    files = [(day, raw) for day in days if (raw := list_raw_day(day, lake)).logs]
    refused = Records(lineage_of(game), lake).refused_days()
    reports: dict[dt.date, ActivityReport] = {}

    def batch_bytes(day: tuple[dt.date, RawDay]) -> int:
        # The days of a batch are compared with each other, and a refused day with no other.
        return BATCH_BYTES + 1 if day[0] in refused else _raw_bytes(day)

    with engine.events(game) as reader:
        for batch in map(dict, in_batches(files, batch_bytes, BATCH_BYTES)):
            # Taken before the files are read: a file that changes meanwhile counts as changed.
            prints = {day: fingerprint(raw.logs) for day, raw in batch.items()}
            reader.read([file for raw in batch.values() for file in raw.logs], lake)
            for report in _reduce(batch, prints, reader, lake, engine, game):
                reports[report.day] = report
                store_report(report, lake)
    return reports


def evaluate_days(
    reports: Mapping[dt.date, ActivityReport], lake: Lake, game: Game
) -> dict[dt.date, str]:
    """Refuse the days that a check fails for; their reasons are stored as verdicts.

    Days are evaluated in their order. Each is compared with earlier days of these and with recorded
    ones, unless they are refused: a report without a record is of a day that another run has not
    evaluated yet.

    Returns:
        Fingerprint of the content of each day, which its verdict is about.
    """
    lineages = lineage_of(game)
    usable = {*Records(lineages, lake).usable_days(TABLE), *reports}

    def read_earlier(day: dt.date) -> ActivityReport | None:
        return read_report(day, lake, warn) if day in usable else None

    contents = {day: stored_content(lineages[TABLE], day, lake) for day in reports}
    verdicts = list_verdicts(contents, lake)
    for day in sorted(reports):
        last = read_verdict(verdicts[day], lake) if day in verdicts else None
        findings = find_problems(reports[day], read_earlier, game)
        now = dt.datetime.now(dt.UTC)
        verdict = decide_by_checks(day, contents[day], findings, last, now)
        if verdict is not None:
            store_verdict(verdict, lake)
        valid = verdict or last
        if valid is not None and valid.decision is Decision.REFUSED:
            usable.remove(day)
    return contents


def update(
    days: Sequence[dt.date],
    recording: AbstractContextManager[Recording],
    lake: Lake,
    engine: LakeEngine,
    game: Game,
) -> dict[dt.date, ActivityReport]:
    """Make and evaluate days, and mark the later days that count their events otherwise by now.

    An event counts on the first day that has its id and is not refused. So the order in which days
    are made does not matter: a later day that was compared with another content of a day, or with
    another verdict on it, is made again. Only days that share an id with it are marked.

    Args:
        days: The days, ascending.
        recording: Records the days; see `recorded`.
        lake: The lake.
        engine: Runs it.
        game: The game.

    Returns:
        A report for each day; days without raw files are missing.
    """
    records = Records(lineage_of(game), lake)
    with recording as record:
        refused_before = records.refused_days()
        reports = materialize_days(days, lake, engine, game)
        # Before the days have a record, so that nothing uses one without its verdict.
        contents = evaluate_days(reports, lake, game)
        record.contents.update(contents)
        refused = _find_refused_days(contents, lake)
        for day in sorted(reports.keys() & (refused_before | refused)):
            sharing = find_sharing_days(day, game, lake, warn)
            reason = f"{day} is or was refused, and this day has some of its events, too"
            records.mark_again(TABLE, sharing, reason)
            if (day in refused_before) is not (day in refused):
                record.again.update({it: reason for it in sharing if it in reports})
    return reports


def _find_refused_days(contents: Mapping[dt.date, str], lake: Lake) -> set[dt.date]:
    verdicts = list_verdicts(contents, lake)
    return {
        day for day in contents if day in verdicts and verdicts[day].decision is Decision.REFUSED
    }


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `user_activity`."""

    @daily_asset(
        game,
        TABLE,
        "features",
        {"engine", "parquet"},
        __doc__,
        pool=EVENT_IDS_POOL,
        metadata=table_schema(stored_activity_table(game)),
    )
    def user_activity(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
    ) -> None:
        requested = days_of(context)
        missing = [day for day in requested if not list_raw_day(day, lake).logs]
        where = f"there are no raw files in {lake}/raw"
        # What is stored of the others, and its record, stays as it is.
        days = leave_out(requested, dict.fromkeys(missing, where), context)
        reports = update(days, recording(context, days, lake, game), lake, engine, game)
        report_days(context, {day: _metadata(report) for day, report in reports.items()})
        for day, report in reports.items():
            if later_days := [it for it in report.days_to_run_again if it not in reports]:
                context.log.warning(_describe_days_to_run_again(day, later_days))

    return user_activity


def _raw_bytes(day: tuple[dt.date, RawDay]) -> int:
    return sum(file.stored.size for file in day[1].logs)


def _reduce(
    files: dict[dt.date, RawDay],
    prints: dict[dt.date, str],
    reader: EventReader,
    lake: Lake,
    engine: LakeEngine,
    game: Game,
) -> Iterator[ActivityReport]:
    """Store what the reader has read of some days, and yield the report of each."""
    to_run_again: dict[dt.date, list[dt.date]] = {}
    if game.fields.event_id is not None:
        to_run_again = _find_days_to_run_again(files, reader.event_ids, lake, engine, game)
        # Before the ids are replaced: by them a run that is killed would not find the days again.
        _mark_days_to_run_again(to_run_again, lake, game)
        engine.store(reader.event_ids, EVENT_IDS, "dt", files, lake)
    rows = activity.daily_activity(reader.frame, game, engine)
    engine.store(rows, stored_activity_table(game), "dt", files, lake)
    engine.store(reader.bad_lines, QUARANTINE, "dt", files, lake)
    lines = engine.to_pandas(events.count_lines(reader.frame, game, engine))
    bad_lines = engine.to_pandas(events.count_bad_lines(reader.bad_lines, engine))
    types = _count_types(bad_lines, reader.frame, engine, game)
    names = dict(enumerate(log.name for raw in files.values() for log in raw.logs))
    lines["file"] = archive_numbers(lines["file"]).map(names)
    totals = _totals(files, lake, engine, game)
    for day, raw in files.items():
        own = lines[lines["dt"] == pd.Timestamp(day)]
        bad = bad_lines[bad_lines["dt"] == pd.Timestamp(day)]
        by_reason = _by_reason(own)
        yield ActivityReport(
            day=day,
            raw_fingerprint=prints[day],
            files=len(raw.logs),
            gone_files=len(raw.gone),
            ignored_files=len(raw.ignored),
            lines=sum(by_reason[reason] for reason in by_reason if reason not in _NO_LINES),
            left_out_lines=by_reason.get(events.LEFT_OUT, 0),
            duplicates=by_reason.get(events.DUPLICATE, 0),
            changed_user_ids=int(own.loc[own["reason"].isna(), "changed_user_ids"].sum()),
            cut_texts=int(own.loc[own["reason"].isna(), "cut_texts"].sum()),
            quarantined=_by_reason(bad),
            quarantined_types=types.get(day, {}),
            unreadable=_unreadable_files(raw, own, bad),
            days_to_run_again=tuple(to_run_again.get(day, ())),
            **totals.get(day, _NO_EVENTS),
        )


def _find_days_to_run_again(
    days: Collection[dt.date],
    event_ids: DataFrame,
    lake: Lake,
    engine: LakeEngine,
    game: Game,
) -> dict[dt.date, list[dt.date]]:
    """Find the later days whose duplicates change, or may change, with the ids of days.

    A later day whose ids are damaged is made again, too, which stores them again. An earlier day
    never waits for it, so that several damaged days can be made one after the other.

    Args:
        days: Days that are made.
        event_ids: Their ids; see `EventReader`.
        lake: Holds the ids of other days, and of these days as they were before.
        engine: Runs it.
        game: Says over how many days an id identifies an event.

    Returns:
        Later days, ascending, by the day whose ids have changed, or are lost.
    """
    stored = stored_days(EVENT_IDS.name, lake)
    last = max(days) + dt.timedelta(days=game.duplicate_days)
    later = [day for day in between(stored, min(days), last) if day not in days]
    if not any(day > min(days) for day in later):
        return {}
    with (
        _read_intact_ids([day for day in days if day in stored], engine, lake) as (before, lost),
        _read_intact_ids(later, engine, lake) as (after, damaged),
    ):
        pairs = engine.to_pandas(
            events.find_repeating_days(before, event_ids, after, game.duplicate_days, engine)
        )
    repeating = {
        (changed.date(), repeated.date()) for changed, repeated in pairs.itertuples(index=False)
    }
    doubtful = {
        (day, other)
        for day in days
        for other in find_days_after(day, later, game)
        # A day whose ids are lost may have had events before that a later day did not count.
        if other in damaged or (day in lost and _may_have_duplicates(other, lake))
    }
    to_run_again: dict[dt.date, list[dt.date]] = defaultdict(list)
    for day, other in sorted(repeating | doubtful):
        to_run_again[day].append(other)
    return to_run_again


@contextmanager
def _read_intact_ids(
    days: Iterable[dt.date], engine: LakeEngine, lake: Lake
) -> Iterator[tuple[DataFrame, Collection[dt.date]]]:
    """Open the stored ids of days without those that are damaged, which are the second value."""
    intact, damaged = list(days), set()
    with ExitStack() as stack:
        frame = None
        while frame is None:
            try:
                frame = stack.enter_context(engine.read(intact, EVENT_IDS, lake))
            except DamagedDayError as error:
                warn(f"{error.what}; later days that may share events with it are made again")
                intact.remove(error.day)
                damaged.add(error.day)
        yield frame, damaged


def _may_have_duplicates(day: dt.date, lake: Lake) -> bool:
    report = read_report(day, lake, warn)
    return report is None or report.duplicates > 0


def _mark_days_to_run_again(
    to_run_again: Mapping[dt.date, Sequence[dt.date]], lake: Lake, game: Game
) -> None:
    records = Records(lineage_of(game), lake)
    for day, later_days in to_run_again.items():
        reason = f"{day} has other events than before, and this day has, or may have, some of them"
        records.mark_again(TABLE, later_days, reason)


def _unreadable_files(
    raw: RawDay, lines: pd.DataFrame, bad_lines: pd.DataFrame
) -> tuple[UnreadableFile, ...]:
    """Find the files of a day that cannot be read, and estimate what is lost in them.

    Args:
        raw: The day's files.
        lines: The day's rows of `events.count_lines`, with the names of the files.
        bad_lines: The day's rows of `events.count_bad_lines`.
    """
    content = lines[lines["reason"].fillna(_EVENT) != events.NOTHING]
    # What is left out would not be lost, so the bytes are those per line of the game.
    counts = content[content["reason"] != events.LEFT_OUT].groupby("file")["lines"].sum()
    is_text = content["reason"] != events.NOT_TEXT
    garbled = set(content["file"]) - set(content.loc[is_text, "file"])
    damaged = set(bad_lines.loc[bad_lines["damages"] > 0, "file"])
    files = [
        RawFileLines(
            log.name,
            log.stored.size,
            int(counts.get(log.name, 0)),
            is_readable=log.name not in garbled and not _is_damaged(log.name, damaged),
        )
        for log in raw.logs
    ]
    sizes = {file.name: file.size for file in files}
    lost = estimate_lost_lines(files)
    return tuple(
        UnreadableFile(name=name, size=sizes[name], lost_lines=lost[name]) for name in lost
    )


def _is_damaged(name: str, damaged: Iterable[str]) -> bool:
    """Return whether a raw file is damaged, or a log in it if it is an archive."""
    return any(other == name or other.startswith(f"{name}/") for other in damaged)


def _by_reason(counts: pd.DataFrame) -> dict[str, int]:
    """Sum up lines by reason."""
    lines = counts["lines"].groupby(counts["reason"].fillna(_EVENT)).sum()
    return {str(reason): int(count) for reason, count in lines.items()}


def _count_types(
    bad_lines: pd.DataFrame, frame: DataFrame, engine: LakeEngine, game: Game
) -> dict[dt.date, dict[str, TypeLines]]:
    """Count the lines of types with lines in quarantine; days without such lines cost nothing."""
    if bad_lines.empty:
        return {}
    counts = engine.to_pandas(events.count_lines_by_type(frame, game, engine))
    return {
        day.date(): {
            str(name): _type_lines(own) for name, own in of_day.groupby("event_type", sort=True)
        }
        for day, of_day in counts.groupby(counts["dt"].dt.to_pydatetime())
    }


def _type_lines(counts: pd.DataFrame) -> TypeLines:
    reasons = _by_reason(counts)
    quarantined = {it: lines for it, lines in reasons.items() if it not in _NO_QUARANTINE}
    return TypeLines(lines=sum(reasons.values()), quarantined=quarantined)


def _totals(
    days: Iterable[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, dict[str, int]]:
    with engine.read(days, user_activity_table(game), lake) as rows:
        totals = engine.to_pandas(activity.day_totals(rows, engine)).to_dict("records")
    return {row.pop("dt").date(): {str(k): int(v) for k, v in row.items()} for row in totals}


def _describe_days_to_run_again(day: dt.date, later_days: Sequence[dt.date]) -> str:
    return (
        f"{day}: its events have changed, and later days have, or may have, some of them, too; to "
        "count each once, the sensor or `ds-assets refresh` makes user_activity of them again: "
        f"{', '.join(map(str, later_days))}"
    )


def _metadata(report: ActivityReport) -> dict[str, object]:
    return {
        "dagster/partition_row_count": report.rows,
        "files": report.files,
        "gone_from_source": report.gone_files,
        "ignored_files": report.ignored_files,
        "lines": report.lines,
        "left_out_lines": report.left_out_lines,
        "events": report.events,
        "users": report.users,
        "duplicates": report.duplicates,
        "late_events": report.late_events,
        "changed_user_ids": report.changed_user_ids,
        "cut_texts": report.cut_texts,
        "days_to_run_again": dg.MetadataValue.json(list(map(str, report.days_to_run_again))),
        "quarantined": sum(report.quarantined.values()),
        "quarantined_share": report.quarantined_share,
        "quarantine_reasons": dg.MetadataValue.json(report.quarantined),
        "quarantined_types": dg.MetadataValue.json(
            {name: counts.model_dump() for name, counts in report.quarantined_types.items()}
        ),
        "unreadable_bytes": sum(file.size for file in report.unreadable),
        "unreadable_files": dg.MetadataValue.json([file.name for file in report.unreadable]),
    }
