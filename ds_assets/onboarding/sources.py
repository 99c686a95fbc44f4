"""Looking at a log source that nothing is known about: names of files, and copies of some.

Scope: how much is listed and copied. What names and contents mean is guessed elsewhere.
"""

import datetime as dt
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from ds_assets.core.log_names import is_log
from ds_assets.errors import InputError
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.infra.lake.base import Lake, day_folder, day_of
from ds_assets.infra.lake.raw_logs import RAW
from ds_assets.infra.log_source.base import Entries, SourceChangedError, SourceObject
from ds_assets.onboarding.layouts import Layout

MAX_LISTINGS = 400
"""Folders that are listed."""
_MAX_NAMES = 50_000
_WIDTH = 8
"""Folders that are looked into, of those in one folder: the first and the last ones."""
_MAX_DEPTH = 8
_DAYS = 6
_FILES_PER_DAY = 16
_MAX_COPIED = 64 << 20
"""Bytes of a file that are copied."""
_DIGITS = re.compile(r"(\d+)")
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
"""In the names of files: bytes that are not UTF-8."""


T = TypeVar("T")


class Browsable(Protocol):
    """What can be looked at: a log source, or the raw files of a lake."""

    def entries(self, parent: str) -> Entries:
        """See `LogSource`."""
        ...

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """See `LogSource`."""
        ...


class SingleFile:
    """One file of a folder.

    Args:
        folder: The folder.
        name: Name of the file.
    """

    def __init__(self, folder: Browsable, name: str) -> None:
        self._folder = folder
        self._name = name

    def entries(self, parent: str) -> Entries:
        """See `LogSource`."""
        return Entries(frozenset(), {self._name: self._folder.entries(parent).files[self._name]})

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """See `LogSource`."""
        return self._folder.blocks(item)


class LakeFiles:
    """The raw files of a lake that another program fills, as a log source with a folder a day.

    Args:
        lake: The lake.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def entries(self, parent: str) -> Entries:
        """See `LogSource`."""
        if not parent:
            days = (day_folder(RAW, day) for day in self._lake.days(RAW))
            return Entries(frozenset(it.removeprefix(f"{RAW}/") for it in days), {})
        if not day_of(parent):
            return Entries(frozenset(), {})
        prefix = f"{RAW}/{parent}"
        objects = {it.name.removeprefix(f"{prefix}/"): it for it in self._lake.objects(prefix)}
        files = {
            name: SourceObject(name, it.name, it.size, it.tag, it.modified)
            for name, it in objects.items()
        }
        return Entries(frozenset(), files)

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """See `LogSource`."""
        yield self._lake.local(item.key).read_bytes()


@dataclass(frozen=True)
class Listing:
    """Files of a source, and other names in it that tell where its days are.

    Attributes:
        files: Files in the folders that were looked into, by their path.
        folders: Folders in them, including those that were not looked into.
    """

    files: dict[str, SourceObject]
    folders: tuple[str, ...]

    @property
    def logs(self) -> list[str]:
        """Paths of files that are logs by their names, in order of the numbers in them."""
        return sorted(filter(_is_log, self.files), key=_natural)


def _is_log(name: str) -> bool:
    """Whether a name may be that of a log, and can be written into a game file."""
    return is_log(name) and not _NO_TEXT.search(name)


def list_source(source: Browsable) -> Listing:
    """List the files of a source, of each folder with many others in it the first and last ones."""
    files: dict[str, SourceObject] = {}
    folders: list[str] = []
    waiting = [""]
    for _ in range(MAX_LISTINGS):
        if not waiting or len(files) + len(folders) > _MAX_NAMES:
            break
        parent = waiting.pop(0)
        entries = source.entries(parent)
        prefix = f"{parent}/" if parent else ""
        files |= {f"{prefix}{name}": item for name, item in entries.files.items()}
        inner = sorted((f"{prefix}{it}" for it in entries.folders if _is_log(it)), key=_natural)
        folders += inner
        if parent.count("/") < _MAX_DEPTH:
            waiting += _ends(inner)
    return Listing(files, tuple(folders))


def _ends(names: Sequence[str]) -> list[str]:
    half = _WIDTH // 2
    return [*names] if len(names) <= _WIDTH else [*names[:half], *names[-half:]]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which `2` is before `10`."""
    return [(int(it), "") if it.isdigit() else (0, it) for it in _DIGITS.split(name)]


def choose_files(paths: Iterable[str], layout: Layout | None) -> list[str]:
    """Choose files to look at: some of the first, the last and other days."""
    days = layout.day_of if layout else {}
    by_day: dict[dt.date, list[str]] = defaultdict(list)
    for path in paths:
        by_day[days.get(path, dt.date.min)].append(path)
    chosen = _spread(sorted(by_day), _DAYS)
    return [path for day in chosen for path in _spread(by_day[day], _FILES_PER_DAY)]


def _spread(items: Sequence[T], count: int) -> list[T]:
    """Some items at equal distances, with the first and the last."""
    if len(items) <= count:
        return [*items]
    return [items[round(n * (len(items) - 1) / (count - 1))] for n in range(count)]


def copy_file(path: str, listing: Listing, source: Browsable, folder: Path) -> RawFile | None:
    """Copy the begin of a file into a folder; None if it changes meanwhile.

    Raises:
        InputError: the file cannot be read.
    """
    copy = folder / hashlib.sha256(path.encode()).hexdigest()
    try:
        with copy.open("wb") as out:
            out.writelines(_begin(source.blocks(listing.files[path])))
    except SourceChangedError:
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return RawFile(dt.date.min, path, copy)


def _begin(blocks: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for block in blocks:
        yield block
        size += len(block)
        if size >= _MAX_COPIED:
            return
