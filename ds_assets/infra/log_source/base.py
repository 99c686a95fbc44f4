"""The log source: where the game writes its log files, in one folder per day.

Scope: the interface of a log source. A log source is read-only.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ds_assets.errors import Unavailable


@dataclass(frozen=True)
class SourceObject:
    """A file of one day.

    Attributes:
        name: Its path relative to the day's folder.
        key: Its full name in the source.
        size: Its size in bytes.
        tag: Changes when the content does.
        modified: When it was written.
    """

    name: str
    key: str
    size: int
    tag: str
    modified: dt.datetime


class SourceChangedError(Exception):
    """A file was replaced, extended or removed while it was being read."""


class SourceUnavailable(Unavailable):
    """The log source cannot be reached, or fails to serve a request."""


class LogSource(Protocol):
    """A source of log files."""

    def folder(self, day: dt.date) -> str:
        """Return the folder of a day, as shown in messages."""
        ...

    def objects(self, day: dt.date) -> list[SourceObject]:
        """List the files of a day, whether or not they are logs, sorted by name."""
        ...

    def folders(self, parent: str) -> list[str]:
        """List the names of the folders directly below one; the top is the empty text."""
        ...

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """Yield a file's content in blocks of at most `BLOCK` bytes.

        Raises:
            SourceChangedError: the file is no longer the one that `item` describes. It is raised
                after the last block at the latest.
        """
        ...


def source_changed(name: str) -> SourceChangedError:
    """Return the error for a file that was replaced while it was being read."""
    return SourceChangedError(f"{name} changed while it was copied; is it still being written?")
