"""The lake: named objects, each of which is replaced as a whole or not at all.

Belongs here: names, listing, atomic writing. What the objects hold is nobody's business here.
"""

import datetime as dt
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

STAGING = "_staging"
ABANDONED_AFTER = dt.timedelta(days=2)

Key = TypeVar("Key")


@dataclass(frozen=True)
class LakeObject:
    """An object as a listing shows it; the tag changes when its content does."""

    name: str
    size: int
    tag: str
    modified: dt.datetime


class FolderLake:
    """A lake in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def objects(self, prefix: str) -> list[LakeObject]:
        """Objects below a folder of the lake, by name."""
        folder = self._root / prefix
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [_described(path, path.relative_to(self._root).as_posix()) for path in files]

    def days(self, folder: str) -> list[dt.date]:
        """Days that have a folder `dt=…` below a folder of the lake, ascending."""
        return sorted(
            day
            for path in (self._root / folder).glob("dt=*")
            if (day := _day_of(path.name)) is not None
        )

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        return (self._root / name).is_file()

    def local(self, name: str) -> Path:
        """A file on this machine with the object's content."""
        return self._root / name

    def read(self, name: str) -> bytes:
        """An object's content.

        Raises:
            FileNotFoundError: there is no such object.
        """
        return (self._root / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Create or replace an object."""
        with self.writing({name: name}) as staged:
            staged[name].write_bytes(content)

    @contextmanager
    def writing(self, names: Mapping[Key, str]) -> Iterator[dict[Key, Path]]:
        """Offer a file to write for each object; each replaces its object when all are written.

        After an error nothing is replaced. A reader sees an object's old content or its new one.
        """
        self._remove_abandoned()
        folder = self._root / STAGING / uuid.uuid4().hex
        folder.mkdir(parents=True)
        staged = {key: folder / str(number) for number, key in enumerate(names)}
        try:
            yield staged
            for key, name in names.items():
                target = self._root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                staged[key].replace(target)
        finally:
            shutil.rmtree(folder)

    def _remove_abandoned(self) -> None:
        """Remove what killed processes left in staging; a write takes minutes, never days."""
        oldest = time.time() - ABANDONED_AFTER.total_seconds()
        for folder in (self._root / STAGING).glob("*"):
            with suppress(FileNotFoundError):  # its writer, or somebody like this, was faster
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder)

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; one that is not there is no error."""
        for name in names:
            (self._root / name).unlink(missing_ok=True)


def day_folder(table: str, day: dt.date) -> str:
    """Folder of one day of a table in the lake."""
    return f"{table}/dt={day}"


def safe_name(name: str) -> str:
    """A name of the lake for any name: it stays in its folder, and different ones stay different.

    A percent sign, a backslash, control characters, and the parts `.`, `..` and nothing between
    slashes are written with percent signs; everything else is kept.
    """
    return "/".join(map(_safe_part, name.split("/")))


def _safe_part(part: str) -> str:
    if not part:
        return "%"  # which stands nowhere else without two digits
    if not part.strip("."):
        return part.replace(".", "%2E")
    return re.sub(r"[%\\\x00-\x1f\x7f]", lambda found: f"%{ord(found[0]):02X}", part)


def file_tag(stat: os.stat_result) -> str:
    """A file's tag, as an object store has it: it changes when the content does."""
    return f"{stat.st_mtime_ns:x}-{stat.st_size:x}"


def _described(path: Path, name: str) -> LakeObject:
    stat = path.stat()
    modified = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)
    return LakeObject(name, stat.st_size, file_tag(stat), modified)


def _day_of(folder: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(folder.removeprefix("dt="))
    except ValueError:
        return None
