"""Raw logs, from the log source to the lake, byte for byte.

Belongs here: copying what is new or has changed, the manifest that says what is there, and the
list of raw files for those who read them.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from ds_assets.errors import InputError
from ds_assets.resources.duckdb_reader import RawFile
from ds_assets.resources.lake import FolderLake, LakeObject, day_folder, safe_name
from ds_assets.resources.log_source import LogSource, SourceChangedError, SourceObject

RAW = "raw"
_BLOCK = 1 << 20


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


class Copied(BaseModel):
    """What one run of a copy did."""

    manifest: Manifest
    files: int
    size: int


@retry(retry=retry_if_exception_type(SourceChangedError), stop=stop_after_attempt(3), reraise=True)
def copy_day(day: dt.date, source: LogSource, lake: FolderLake) -> Copied:
    """Copy the source's objects of a day that are new or have changed.

    An object that has left the source stays in the lake, and its entry says so. If one changes
    while it is copied, the day is looked at and copied again.

    Returns:
        The new manifest, and number and bytes of the files that were copied. Of a day that
        never had an object nothing is written.

    Raises:
        SourceChangedError: an object changed at each attempt; the lake is as it was.
        InputError: the names of two objects cannot both be in the lake.
    """
    before = {entry.name: entry for entry in read_manifest(day, lake).files}
    objects = source.objects(day)
    _refuse_collisions(objects, source, day)
    changed = [item for item in objects if not _is_there(item, before.get(item.name), day, lake)]
    with lake.writing({item.name: _lake_name(day, item.name) for item in changed}) as staged:
        copied = {item.name: _copy(item, source, staged[item.name]) for item in changed}
    current = {item.name: copied.get(item.name) or before[item.name] for item in objects}
    gone = {
        name: entry.model_copy(update={"in_source": False})
        for name, entry in before.items()
        if name not in current
    }
    entries = sorted((current | gone).values(), key=lambda entry: entry.name)
    manifest = Manifest(day=day, files=tuple(entries))
    if entries:
        lake.write(_manifest_name(day), manifest.model_dump_json(indent=1).encode())
    return Copied(manifest=manifest, files=len(changed), size=sum(i.size for i in changed))


def read_manifest(day: dt.date, lake: FolderLake) -> Manifest:
    """The manifest of a day; an empty one where nothing was copied."""
    name = _manifest_name(day)
    return (
        Manifest.model_validate(json.loads(lake.read(name)))
        if lake.exists(name)
        else Manifest(day=day)
    )


def raw_objects(day: dt.date, lake: FolderLake) -> list[LakeObject]:
    """Raw files of a day in the lake, whoever put them there."""
    objects = lake.objects(day_folder(RAW, day))
    return [item for item in objects if not item.name.rpartition("/")[2].startswith(("_", "."))]


def raw_files(day: dt.date, lake: FolderLake) -> list[RawFile]:
    """Raw files of a day, ready to be read."""
    prefix = day_folder(RAW, day) + "/"
    return [
        RawFile(day, item.name.removeprefix(prefix), lake.local(item.name))
        for item in raw_objects(day, lake)
    ]


def fingerprint(day: dt.date, lake: FolderLake) -> str:
    """Changes when a raw file of the day is added, replaced or removed; empty without any."""
    objects = raw_objects(day, lake)
    text = "\n".join(f"{item.name} {item.tag}" for item in objects)
    return hashlib.sha256(text.encode()).hexdigest()[:16] if objects else ""


def _is_there(
    item: SourceObject, entry: ManifestEntry | None, day: dt.date, lake: FolderLake
) -> bool:
    return (
        entry is not None
        and (entry.tag, entry.size) == (item.tag, item.size)
        and lake.exists(_lake_name(day, item.name))
    )


def _copy(item: SourceObject, source: LogSource, target: Path) -> ManifestEntry:
    digest = hashlib.sha256()
    with source.open(item) as content, target.open("wb") as out:
        for block in _blocks(content):
            digest.update(block)
            out.write(block)
        size = out.tell()
    if size != item.size:
        raise SourceChangedError(f"{item.key} had {item.size} bytes, and {size} when it was read")
    return ManifestEntry(name=item.name, size=size, tag=item.tag, sha256=digest.hexdigest())


def _blocks(content: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: content.read(_BLOCK), b"")


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
    return f"{day_folder(RAW, day)}/_manifest.json"
