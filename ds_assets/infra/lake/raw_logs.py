"""Copying raw logs from the log source to the lake, byte for byte.

Scope: copying new and changed files, a day's manifest, and listing a day's raw files.
"""

import datetime as dt
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache

from pydantic import BaseModel, ConfigDict
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from ds_assets.core.lineage import RAW_LOGS
from ds_assets.core.log_names import is_log
from ds_assets.core.stored_documents import (
    DamagedDayError,
    DamagedDocumentError,
    StoredDocument,
    read_document,
)
from ds_assets.errors import InputError
from ds_assets.game import Logs
from ds_assets.infra.lake.base import Lake, LakeObject, day_folder, safe_name
from ds_assets.infra.log_source.base import DailyFiles, SourceChangedError, SourceObject
from ds_assets.infra.transfer import map_ahead

RAW = "raw"
MANIFEST = "_manifest.json"
_PLAIN_LOGS = Logs()
"""Logs without a marker and kinds."""


class LakeDiffers(Exception):
    """The lake holds something other than what was written to it."""


ProgressCallback = Callable[[str], None]
"""Receives a sentence about the progress from time to time."""

_log = logging.getLogger(__name__)
_MAX_TRANSFERS = 4
_REPORT_INTERVAL_S = 10
_COPY_ATTEMPTS = 3


class ManifestEntry(BaseModel):
    """One raw file of a day."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int
    tag: str
    """The source's tag of the content that was copied."""
    sha256: str
    in_source: bool = True
    """Whether the source still had it when the day was last copied."""


class IncompleteDayError(Exception):
    """The source has no marker of a day yet, or not all kinds of its logs: files may follow."""


@dataclass(frozen=True)
class SourceDay:
    """The files of a day in the log source.

    Attributes:
        logs: The logs, sorted by name.
        marker: The file that marks the day as complete; None without it, or without markers.
        ignored: Names of the files that are not logs; see `is_log`.
        missing_kinds: Kinds of logs that the day needs, and has none of; see `Logs.missing_kinds`.
    """

    logs: tuple[SourceObject, ...]
    marker: SourceObject | None
    ignored: tuple[str, ...]
    missing_kinds: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Hash of names, sizes and tags; see `Manifest.fingerprint`."""
        return _fingerprint_of_copy(self.logs, self.marker.tag if self.marker else "")


class Manifest(StoredDocument):
    """The log files of a day that are in the lake."""

    model_config = ConfigDict(frozen=True)

    day: dt.date
    files: tuple[ManifestEntry, ...] = ()
    marker: str = ""
    """The source's tag of the marker that was copied; empty without one."""

    @property
    def fingerprint(self) -> str:
        """Hash of what was copied; equal to that of the source's day if it has not changed."""
        return _fingerprint_of_copy([file for file in self.files if file.in_source], self.marker)

    @property
    def gone(self) -> tuple[ManifestEntry, ...]:
        """Files that have left the source while other files of the day are in it.

        The others replace them, as after an export under other names. A source that has no file
        of the day any more has only deleted it, as its retention demands.
        """
        gone = tuple(entry for entry in self.files if not entry.in_source)
        return gone if len(gone) < len(self.files) else ()


@dataclass(frozen=True)
class RawObject:
    """One raw file of an arrival day in the lake.

    Attributes:
        day: The arrival day.
        name: Its path relative to the day's folder.
        stored: Its entry in the lake's listing.
    """

    day: dt.date
    name: str
    stored: LakeObject


@dataclass(frozen=True)
class RawDay:
    """The raw files of an arrival day in the lake.

    Attributes:
        logs: The logs.
        gone: Logs that have left the source, and no longer count; see `Manifest`.
        ignored: Names of the files that are not logs; see `is_log`.
    """

    logs: tuple[RawObject, ...]
    gone: tuple[RawObject, ...]
    ignored: tuple[str, ...]


class Copied(BaseModel):
    """The result of copying a day.

    Attributes:
        manifest: The new manifest.
        files: Number of copied files.
        size: Their size in bytes.
        ignored: Names of the files in the source that are not logs; see `is_log`.
    """

    manifest: Manifest
    files: int
    size: int
    ignored: tuple[str, ...] = ()


@retry(
    retry=retry_if_exception_type(SourceChangedError),
    stop=stop_after_attempt(_COPY_ATTEMPTS),
    reraise=True,
)
def copy_day(
    day: dt.date,
    source: DailyFiles,
    lake: Lake,
    report: ProgressCallback,
    form: Logs = _PLAIN_LOGS,
) -> Copied:
    """Copy the source's new and changed files of a day, several at once.

    A file that has another size in the lake than in the source is damaged, and copied again.

    A file that was removed from the source stays in the lake, and the manifest says so; see
    `Manifest.gone`. If a file changes while it is copied, the day is listed and copied again.

    Args:
        day: The day.
        source: Where to copy from.
        lake: Where to copy to.
        report: Receives the progress from time to time.
        form: Marker without which a day is not complete, which is copied after the logs, and kinds
            of logs.

    Returns:
        The new manifest and what was copied. Nothing is written for a day that never had a file.

    Raises:
        SourceChangedError: a file changed during each attempt; the lake is unchanged.
        LakeDiffers: the lake holds something other than what was written to it. The manifest does
            not list it, so that the next copy replaces it.
        IncompleteDayError: the source has logs of the day, and no marker, or not all kinds of logs.
        InputError: the names of two files cannot both be in the lake.
    """
    before = {entry.name: entry for entry in _list_copied(day, lake, report)}
    listed = list_source_day(day, source, form)
    objects = listed.logs
    if lacking := describe_lacking(listed, form):
        raise IncompleteDayError(f"{source.folder(day)} has no {lacking}, so it is not complete")
    _refuse_collisions(objects, source, day)
    stored = _list_sizes(day, lake)
    unchanged = {
        item.name: before[item.name].model_copy(update={"in_source": True})
        for item in objects
        if _is_copy(before.get(item.name), item)
        and stored.get(_lake_name(day, item.name)) == item.size
    }
    changed = [item for item in objects if item.name not in unchanged]
    copied = _copy(day, changed, source, lake, report)
    _verify(day, copied.values(), lake)
    removed = {
        name: entry.model_copy(update={"in_source": False})
        for name, entry in before.items()
        if name not in unchanged and name not in copied
    }
    if listed.marker:
        with lake.receiving() as receive:
            receive(_lake_name(day, listed.marker.name), source.blocks(listed.marker))
    entries = sorted((unchanged | copied | removed).values(), key=lambda entry: entry.name)
    marker_tag = listed.marker.tag if listed.marker else ""
    manifest = Manifest(day=day, files=tuple(entries), marker=marker_tag)
    if entries:
        lake.write(_manifest_name(day), manifest.model_dump_json(indent=1).encode())
    return Copied(
        manifest=manifest,
        files=len(changed),
        size=sum(item.size for item in changed),
        ignored=listed.ignored,
    )


def _list_copied(day: dt.date, lake: Lake, report: ProgressCallback) -> Iterable[ManifestEntry]:
    """List what was copied; by a manifest that is damaged, all logs in the lake, of any content.

    Each file that the source has is copied again then, and the others count as having left it.
    """
    try:
        return read_manifest(day, lake).files
    except DamagedDayError as error:
        report(f"{error}; all files of the day are copied again")
        return [
            ManifestEntry(name=log.name, size=log.stored.size, tag="", sha256="")
            for log in raw_objects(day, lake)
        ]


def list_source_day(day: dt.date, source: DailyFiles, form: Logs) -> SourceDay:
    """List the files of a day in the log source.

    Args:
        day: The day.
        source: The log source.
        form: Marker and kinds of logs. Where a day has several folders, each folder with logs needs
            the marker, and the newest of them stands for all.
    """
    files, marker = source.objects(day), form.marker
    logs = tuple(file for file in files if is_log(file.name))
    markers = [file for file in files if marker and file.name == _join(file.folder, marker)]
    is_complete = {log.folder for log in logs} <= {file.folder for file in markers}
    newest = max(markers, key=lambda file: file.modified, default=None)
    return SourceDay(
        logs=logs,
        marker=replace(newest, name=marker) if newest and marker and is_complete else None,
        ignored=tuple(file.name for file in files if not is_log(file.name)),
        missing_kinds=tuple(form.missing_kinds(log.name for log in logs) if logs else ()),
    )


def describe_lacking(files: SourceDay, form: Logs) -> str:
    """Name what a day with logs lacks to be complete; nothing if it is, or has no logs at all."""
    if form.marker and files.logs and files.marker is None:
        return form.marker
    kinds = [f"{name} ({form.kinds[name].files})" for name in files.missing_kinds]
    return f"files of {' and '.join(kinds)}" if kinds else ""


def read_manifest(day: dt.date, lake: Lake) -> Manifest:
    """Read the manifest of a day; an empty one if nothing was copied.

    Raises:
        NewerFormatError: it is of a newer release.
        DamagedDayError: it is damaged, or another program has put a file of its name into the lake.
    """
    try:
        content = lake.read(_manifest_name(day))
    except FileNotFoundError:
        return Manifest(day=day)
    try:
        return read_document(Manifest, content, _manifest_name(day))
    except DamagedDocumentError as error:
        raise DamagedDayError(str(error), RAW_LOGS, day) from None


def list_raw_day(day: dt.date, lake: Lake) -> RawDay:
    """List the raw files of a day in the lake, whether or not they were copied by `copy_day`."""
    folder = day_folder(RAW, day)
    files = [
        RawObject(day, item.name.removeprefix(f"{folder}/"), item) for item in lake.objects(folder)
    ]
    gone: frozenset[tuple[str, int]] = frozenset()
    for file in files:
        if file.name == MANIFEST:
            gone = _gone_objects(_StoredManifest(str(lake), day, file.stored.tag, lake))
    logs = [file for file in files if is_log(file.name)]
    return RawDay(
        logs=tuple(log for log in logs if (log.name, log.stored.size) not in gone),
        gone=tuple(log for log in logs if (log.name, log.stored.size) in gone),
        ignored=tuple(
            file.name for file in files if not is_log(file.name) and file.name != MANIFEST
        ),
    )


@dataclass(frozen=True)
class _StoredManifest:
    """A version of the manifest of a day, and where to read it."""

    address: str
    day: dt.date
    tag: str
    lake: Lake = field(compare=False)


@lru_cache(maxsize=512)  # the sensor lists many days in each evaluation, which rarely change
def _gone_objects(manifest: _StoredManifest) -> frozenset[tuple[str, int]]:
    """Return names in the lake and sizes of the logs of a day that no longer count.

    A file of another size is not the copy, but was put into the lake since.
    """
    try:
        files = read_manifest(manifest.day, manifest.lake).gone
    except DamagedDayError as error:
        _log.warning("%s; until then files that have left the source count, too", error)
        return frozenset()
    return frozenset((safe_name(file.name), file.size) for file in files)


def raw_objects(day: dt.date, lake: Lake) -> list[RawObject]:
    """List the logs of a day in the lake; see `list_raw_day`."""
    return list(list_raw_day(day, lake).logs)


def fingerprint(objects: Iterable[RawObject]) -> str:
    """Hash the names and tags of a day's raw files; empty for a day without any."""
    text = "\n".join(f"{item.stored.name} {item.stored.tag}" for item in objects)
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


def _fingerprint_of_copy(files: Iterable[SourceObject | ManifestEntry], marker_tag: str) -> str:
    text = "\n".join([marker_tag, *(f"{file.name} {file.size} {file.tag}" for file in files)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _is_copy(entry: ManifestEntry | None, item: SourceObject) -> bool:
    return entry is not None and (entry.tag, entry.size) == (item.tag, item.size)


def _copy(
    day: dt.date,
    items: Sequence[SourceObject],
    source: DailyFiles,
    lake: Lake,
    report: ProgressCallback,
) -> dict[str, ManifestEntry]:
    """Copy files, all or none."""
    progress = _Progress(day, items, report)

    with lake.receiving() as receive, ThreadPoolExecutor(_MAX_TRANSFERS) as executor:

        def copy(item: SourceObject) -> ManifestEntry:
            content = _MeasuredContent(item, source, progress)
            receive(_lake_name(day, item.name), content)
            return content.entry()

        entries = list(map_ahead(copy, items, executor, _MAX_TRANSFERS))
    return {entry.name: entry for entry in entries}


def _verify(day: dt.date, entries: Iterable[ManifestEntry], lake: Lake) -> None:
    """Compare the transferred sizes with those that the lake lists."""
    stored = _list_sizes(day, lake)
    for entry in entries:
        size = stored.get(_lake_name(day, entry.name), 0)
        if size != entry.size:
            raise LakeDiffers(
                f"{lake} holds {size:,} bytes of {entry.name} of {day}, but {entry.size:,} were "
                "written; another program writes to the same folder"
            )


def _list_sizes(day: dt.date, lake: Lake) -> dict[str, int]:
    return {item.name: item.size for item in lake.objects(day_folder(RAW, day))}


class _MeasuredContent:
    """The blocks of a file, whose size and checksum are computed as they are read."""

    def __init__(self, item: SourceObject, source: DailyFiles, progress: "_Progress") -> None:
        self._item = item
        self._source = source
        self._progress = progress
        self._digest = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._source.blocks(self._item):
            self._digest.update(block)
            self._size += len(block)
            self._progress.add_bytes(len(block))
            yield block
        if self._size != self._item.size:  # raised before the lake commits the object
            raise SourceChangedError(
                f"{self._item.key} had {self._item.size:,} bytes, and {self._size:,} when it was "
                "read"
            )
        self._progress.add_file()

    def entry(self) -> ManifestEntry:
        """Return the manifest entry of the file, after all blocks were read."""
        digest = self._digest.hexdigest()
        return ManifestEntry(
            name=self._item.name, size=self._size, tag=self._item.tag, sha256=digest
        )


class _Progress:
    """Reports the progress of copying a day from time to time."""

    def __init__(
        self, day: dt.date, items: Sequence[SourceObject], report: ProgressCallback
    ) -> None:
        self._day = day
        self._report = report
        self._files, self._size = len(items), sum(item.size for item in items)
        self._files_done = self._size_done = 0
        self._reported_at = time.monotonic()
        self._lock = threading.Lock()

    def add_bytes(self, size: int) -> None:
        """Count transferred bytes."""
        with self._lock:
            self._size_done += size
            if time.monotonic() - self._reported_at > _REPORT_INTERVAL_S:
                self._reported_at = time.monotonic()
                self._report_now()

    def add_file(self) -> None:
        """Count a transferred file; the last one is always reported."""
        with self._lock:
            self._files_done += 1
            if self._files_done == self._files:
                self._report_now()

    def _report_now(self) -> None:
        self._report(
            f"{self._day}: {self._files_done:,} of {self._files:,} files copied, "
            f"{self._size_done / 1e6:,.1f} of {self._size / 1e6:,.1f} MB"
        )


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _lake_name(day: dt.date, name: str) -> str:
    return f"{day_folder(RAW, day)}/{safe_name(name)}"


def _refuse_collisions(objects: Sequence[SourceObject], source: DailyFiles, day: dt.date) -> None:
    """Refuse a file named like the folder of another: not every lake can hold both."""
    names = {item.name for item in objects}
    for name in sorted(names):
        for end in range(len(name)):
            if name[end] == "/" and name[:end] in names:
                raise InputError(
                    f"{source.folder(day)}: {name[:end]} is both a file and the folder of "
                    f"{name}; rename one of them"
                )


def _manifest_name(day: dt.date) -> str:
    return f"{day_folder(RAW, day)}/{MANIFEST}"
