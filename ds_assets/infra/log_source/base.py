"""The log source: where the game writes its log files, in folders or files of one day each.

Scope: the interface of a log source. A log source is read-only.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ds_assets.errors import Unavailable
from ds_assets.path_patterns import PathPattern


@dataclass(frozen=True)
class SourceObject:
    """A file of one day.

    Attributes:
        name: Its path relative to the folder that it is listed in. For a file of a day that is the
            day's folder, or where a day may have several, the one that has the files of all days.
        key: Its full name in the source.
        size: Its size in bytes.
        tag: Changes when the content does.
        modified: When it was written.
        folder: Which of several folders of a day it is in, as its name begins; else empty.
    """

    name: str
    key: str
    size: int
    tag: str
    modified: dt.datetime
    folder: str = ""


class Entries(NamedTuple):
    """What is directly in a folder: names of folders, and files by their names."""

    folders: frozenset[str]
    files: Mapping[str, SourceObject]


class SourceChangedError(Exception):
    """A file was replaced, extended or removed while it was being read."""


class SourceUnavailable(Unavailable):
    """The log source cannot be reached, or fails to serve a request."""


class DailyFiles(Protocol):
    """The files of each day."""

    def folder(self, day: dt.date) -> str:
        """Return where the files of a day are, as shown in messages."""
        ...

    def objects(self, day: dt.date) -> list[SourceObject]:
        """List the files of a day, whether or not they are logs, sorted by name."""
        ...

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """Yield a file's content in blocks of at most `BLOCK` bytes.

        Raises:
            SourceChangedError: the file is no longer the one that `item` describes. It is raised
                after the last block at the latest.
        """
        ...


class LogSource(DailyFiles, Protocol):
    """A source of log files, whose days are where its pattern says.

    Attributes:
        pattern: Where the files of a day are.
    """

    pattern: PathPattern

    def entries(self, parent: str) -> Entries:
        """List what is directly in a folder; the top is the empty text."""
        ...

    def below(self, folder: str) -> list[SourceObject]:
        """List the files in a folder and all folders below it."""
        ...


def source_changed(name: str) -> SourceChangedError:
    """Return the error for a file that was replaced while it was being read."""
    return SourceChangedError(f"{name} changed while it was copied; is it still being written?")
