"""What is changed once in a lake that an earlier release has filled.

Scope: records of its days, by the times of files, which was how outdated days were found until
then; the assumption that stored days without a game file in their records were made with the one
that is there when this release opens the lake for the first time; and the names of reports.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from ds_assets.core.lineage import RAW_LOGS, Lineage, lineage_of
from ds_assets.core.provenance import Provenance, fingerprint
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.game import Game
from ds_assets.infra.lake.activity_reports import read_report, rename_reports
from ds_assets.infra.lake.base import Lake, LakeObject, day_of, safe_name
from ds_assets.infra.lake.provenance import (
    ADOPTED,
    Lineages,
    Records,
    read_adopted,
    record_raw_files,
    sha256_of,
    store_adopted,
    store_record,
    store_settings,
    stored_files,
    stored_folders,
)
from ds_assets.infra.lake.raw_logs import RawObject, raw_objects, read_manifest
from ds_assets.infra.lake.raw_logs import fingerprint as raw_fingerprint

UNKNOWN_DELIVERY = fingerprint(())
"""Content of a delivery by a release that recorded none."""

_Objects = Mapping[dt.date, Sequence[LakeObject]]
"""What is stored of an asset, by day."""


def open_records(game: Game, lake: Lake) -> Records:
    """Open the records of a lake, in which days of an earlier release have some, too."""
    lineages = lineage_of(game)
    adopt_stored_days(lineages, lake)
    return Records(lineages, lake)


def adopt_stored_days(lineages: Lineages, lake: Lake) -> None:
    """Record the days of a lake and rename their reports, once.

    A day whose inputs are younger gets no record, and so counts as outdated. Tables are not read:
    the tag of a file stands for its content.
    """
    adopted = read_adopted(lake)
    if not adopted.settings:
        if not lake.exists(ADOPTED):
            _record_stored_days(lineages, lake)
        settings = lineages["user_activity"].settings
        store_settings(settings, lake)
        adopted = adopted._replace(settings=settings.fingerprint)
        store_adopted(adopted, lake)
    if not adopted.has_renamed_reports:
        rename_reports(lake)
        store_adopted(adopted._replace(has_renamed_reports=True), lake)


def _record_stored_days(lineages: Lineages, lake: Lake) -> None:
    stored = {asset: _stored_objects(lineage, lake) for asset, lineage in lineages.items()}
    current = {
        asset: _current_days(asset, lineage, stored, lake) for asset, lineage in lineages.items()
    }
    _record_raw_files(current["user_activity"], lake)
    for asset in lineages:
        if asset != RAW_LOGS:
            _record(asset, current[asset], Records(lineages, lake), lake)


def _stored_objects(lineage: Lineage, lake: Lake) -> _Objects:
    objects = {it.name: it for folder in stored_folders(lineage) for it in lake.objects(folder)}
    days = {day for name in objects for part in name.split("/") if (day := day_of(part))}
    return {
        day: [objects[name] for name in stored_files(lineage, day) if name in objects]
        for day in sorted(days)
    }


def _current_days(
    asset: str, lineage: Lineage, stored: Mapping[str, _Objects], lake: Lake
) -> _Objects:
    """The stored days whose inputs are not younger; a delivery is as current as what it holds."""
    if not stored_folders(lineage):
        return dict.fromkeys(stored["predictions"], ())
    days = {day: objects for day, objects in stored[asset].items() if objects}
    if asset == "user_activity":
        return {day: objects for day, objects in days.items() if _is_of_raw_files(day, lake)}
    return {
        day: objects
        for day, objects in days.items()
        if _newest(lineage, day, stored) <= min(it.modified for it in objects)
    }


def _is_of_raw_files(day: dt.date, lake: Lake) -> bool:
    report, files = read_report(day, lake), raw_objects(day, lake)
    return report is not None and (not files or report.raw_fingerprint == raw_fingerprint(files))


def _newest(lineage: Lineage, day: dt.date, stored: Mapping[str, _Objects]) -> dt.datetime:
    """When the newest input of a day was stored."""
    inputs = (
        it.modified
        for reads in lineage.reads
        if not reads.is_history
        for read in reads.days(day, stored[reads.asset])
        for it in stored[reads.asset][read]
    )
    return max(inputs, default=dt.datetime.min.replace(tzinfo=dt.UTC))


def _record(asset: str, days: _Objects, records: Records, lake: Lake) -> None:
    for day, objects in days.items():
        if day in records.recorded_days(asset):  # a run of this release has stored it meanwhile
            continue
        inputs = records.inputs(asset, day)
        content = fingerprint(text for it in objects for text in (it.name, it.tag))
        store_record(Provenance(asset=asset, day=day, content=content, inputs=inputs), lake)


def _record_raw_files(days: Iterable[dt.date], lake: Lake) -> None:
    """Record the content of raw files as `refresh_raw_content` does, by the manifest where it can.

    Reading the files of years would take hours.
    """
    for day in days:
        if files := raw_objects(day, lake):
            record_raw_files(files, partial(_sha256, _copied_checksums(day, lake), lake), lake)


def _copied_checksums(day: dt.date, lake: Lake) -> Mapping[tuple[str, int], str]:
    """SHA-256 of each file that was copied from the source, by its name and size."""
    try:
        entries = read_manifest(day, lake).files
    except DamagedDayError:  # the files themselves are read then
        return {}
    return {(safe_name(entry.name), entry.size): entry.sha256 for entry in entries}


def _sha256(copied: Mapping[tuple[str, int], str], lake: Lake, file: RawObject) -> str:
    return copied.get((file.name, file.stored.size)) or sha256_of(file.stored.name, lake)
