"""Raw logs, from the log source to the lake, byte for byte.

Belongs here: copying what is new or has changed, the manifest that says what is there, and the
list of raw files for those who read them.
"""

import datetime as dt
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from ds_assets.errors import InputError
from ds_assets.infra.lake.base import Lake, LakeObject, day_folder, safe_name
from ds_assets.infra.log_source.base import LogSource, SourceChangedError, SourceObject, is_log
from ds_assets.infra.transfer import map_ahead

RAW = "raw"
MANIFEST = "_manifest.json"


class LakeDiffers(Exception):
    """The lake holds something else than it was given."""


Say = Callable[[str], None]
"""Is told a sentence, now and then."""

_AT_ONCE = 4
_SAID_EVERY = 10
"""Seconds between two sentences of a copy."""


class ManifestEntry(BaseModel):
    """One raw file of a day."""

    model_config = ConfigDict(frozen=True)

    name: str
    size: int
    tag: str
    """The source's tag of the content that was copied."""
    sha256: str
    in_source: bool = True
    """Whether the source still had it at the last look."""


class Manifest(BaseModel):
    """What the lake holds of a day's logs."""

    model_config = ConfigDict(frozen=True)

    day: dt.date
    files: tuple[ManifestEntry, ...] = ()


@dataclass(frozen=True)
class RawObject:
    """One raw file of an arrival day in the lake.

    Attributes:
        day: The arrival day.
        name: Its name below the day's folder.
        stored: What the lake says of it.
    """

    day: dt.date
    name: str
    stored: LakeObject


class Copied(BaseModel):
    """What one run of a copy did."""

    manifest: Manifest
    files: int
    size: int


@retry(retry=retry_if_exception_type(SourceChangedError), stop=stop_after_attempt(3), reraise=True)
def copy_day(day: dt.date, source: LogSource, lake: Lake, say: Say) -> Copied:
    """Copy the source's objects of a day that are new or have changed, several at once.

    An object that has left the source stays in the lake, and its entry says so. If one changes
    while it is copied, the day is looked at and copied again.

    Args:
        day: The day.
        source: Where its objects come from.
        lake: Where they go.
        say: Is told now and then how far the copy is.

    Returns:
        The new manifest, and number and bytes of the files that were copied. Of a day that
        never had an object nothing is written.

    Raises:
        SourceChangedError: an object changed at each attempt; the lake is as it was.
        LakeDiffers: the lake holds something else than it was given; the manifest does not say
            that it is there, so that the next copy brings it again.
        InputError: the names of two objects cannot both be in the lake.
    """
    before = {entry.name: entry for entry in read_manifest(day, lake).files}
    objects = source.objects(day)
    _refuse_collisions(objects, source, day)
    there = {one.name for one in lake.objects(day_folder(RAW, day))}
    kept = {
        item.name: before[item.name]
        for item in objects
        if _is_copy(before.get(item.name), item) and _lake_name(day, item.name) in there
    }
    changed = [item for item in objects if item.name not in kept]
    copied = _copy(day, changed, source, lake, say)
    _verify(day, copied.values(), lake)
    gone = {
        name: entry.model_copy(update={"in_source": False})
        for name, entry in before.items()
        if name not in kept and name not in copied
    }
    entries = sorted((kept | copied | gone).values(), key=lambda entry: entry.name)
    manifest = Manifest(day=day, files=tuple(entries))
    if entries:
        lake.write(_manifest_name(day), manifest.model_dump_json(indent=1).encode())
    return Copied(manifest=manifest, files=len(changed), size=sum(i.size for i in changed))


def read_manifest(day: dt.date, lake: Lake) -> Manifest:
    """The manifest of a day; an empty one where nothing was copied."""
    try:
        content = lake.read(_manifest_name(day))
    except FileNotFoundError:
        return Manifest(day=day)
    return Manifest.model_validate_json(content)


def raw_objects(day: dt.date, lake: Lake) -> list[RawObject]:
    """Raw files of a day in the lake, whoever put them there."""
    folder = day_folder(RAW, day) + "/"
    return [
        RawObject(day, one.name.removeprefix(folder), one)
        for one in lake.objects(day_folder(RAW, day))
        if is_log(one.name)
    ]


def fingerprint(objects: Iterable[RawObject]) -> str:
    """Changes when a raw file of a day is added, replaced or removed; empty without any."""
    text = "\n".join(f"{one.stored.name} {one.stored.tag}" for one in objects)
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


def _is_copy(entry: ManifestEntry | None, item: SourceObject) -> bool:
    return entry is not None and (entry.tag, entry.size) == (item.tag, item.size)


def _copy(
    day: dt.date, items: Sequence[SourceObject], source: LogSource, lake: Lake, say: Say
) -> dict[str, ManifestEntry]:
    """Copy objects; all are in place, or none is."""
    progress = _Progress(day, items, say)

    with lake.receiving() as receive, ThreadPoolExecutor(_AT_ONCE) as executor:

        def copy(item: SourceObject) -> ManifestEntry:
            content = _Measured(item, source, progress)
            receive(_lake_name(day, item.name), content)
            return content.entry()

        entries = list(map_ahead(copy, items, executor, _AT_ONCE))
    return {entry.name: entry for entry in entries}


def _verify(day: dt.date, entries: Iterable[ManifestEntry], lake: Lake) -> None:
    """Compare what has passed with what the lake says that it holds."""
    stored = {one.name: one.size for one in lake.objects(day_folder(RAW, day))}
    for entry in entries:
        size = stored.get(_lake_name(day, entry.name), 0)
        if size != entry.size:
            raise LakeDiffers(
                f"{lake} holds {size:,} bytes of {entry.name} of {day}, and was given "
                f"{entry.size:,}; something else writes there"
            )


class _Measured:
    """Blocks of an object, of which size and checksum are taken as they pass."""

    def __init__(self, item: SourceObject, source: LogSource, progress: "_Progress") -> None:
        self._item = item
        self._source = source
        self._progress = progress
        self._digest = hashlib.sha256()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._source.blocks(self._item):
            self._digest.update(block)
            self._size += len(block)
            self._progress.moved(len(block))
            yield block
        if self._size != self._item.size:  # seen before the lake has taken the object
            raise SourceChangedError(
                f"{self._item.key} had {self._item.size:,} bytes, and {self._size:,} when it was "
                "read"
            )
        self._progress.finished()

    def entry(self) -> ManifestEntry:
        """What the manifest says of the object, once all blocks have passed."""
        digest = self._digest.hexdigest()
        return ManifestEntry(
            name=self._item.name, size=self._size, tag=self._item.tag, sha256=digest
        )


class _Progress:
    """Tells how far the copy of a day is, now and then."""

    def __init__(self, day: dt.date, items: Sequence[SourceObject], say: Say) -> None:
        self._day = day
        self._say = say
        self._files, self._size = len(items), sum(item.size for item in items)
        self._files_done = self._size_done = 0
        self._said = time.monotonic()
        self._lock = threading.Lock()

    def moved(self, size: int) -> None:
        """So many bytes more have passed."""
        with self._lock:
            self._size_done += size
            if time.monotonic() - self._said > _SAID_EVERY:
                self._said = time.monotonic()
                self._tell()

    def finished(self) -> None:
        """An object more has passed; the last one is always told."""
        with self._lock:
            self._files_done += 1
            if self._files_done == self._files:
                self._tell()

    def _tell(self) -> None:
        self._say(
            f"{self._day}: {self._files_done:,} of {self._files:,} files are copied, "
            f"{self._size_done / 1e6:,.1f} of {self._size / 1e6:,.1f} MB"
        )


def _lake_name(day: dt.date, name: str) -> str:
    return f"{day_folder(RAW, day)}/{safe_name(name)}"


def _refuse_collisions(objects: Sequence[SourceObject], source: LogSource, day: dt.date) -> None:
    """An object named like the folder of another cannot stand beside it in every lake."""
    names = {item.name for item in objects}
    for name in sorted(names):
        for end in range(len(name)):
            if name[end] == "/" and name[:end] in names:
                raise InputError(
                    f"{source.folder(day)}: {name[:end]} is both an object and the folder of "
                    f"{name}; rename one of them"
                )


def _manifest_name(day: dt.date) -> str:
    return f"{day_folder(RAW, day)}/{MANIFEST}"
