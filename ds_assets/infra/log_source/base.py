"""The log source: where the game leaves its log files, a folder for each day.

Belongs here: finding the objects of a day and reading them, in a folder or in S3. The source is
never written.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ds_assets.errors import Unavailable


@dataclass(frozen=True)
class SourceObject:
    """An object of one day.

    Attributes:
        name: Name below the day's folder.
        key: Name in the source.
        size: Bytes.
        tag: Changes when the content does.
    """

    name: str
    key: str
    size: int
    tag: str


class SourceChangedError(Exception):
    """An object was replaced, extended or removed while it was read."""


class SourceUnavailable(Unavailable):
    """The log source cannot be reached, or fails in what it is asked."""


class LogSource(Protocol):
    """What every log source can do."""

    def folder(self, day: dt.date) -> str:
        """Where a day's objects lie, for people."""
        ...

    def objects(self, day: dt.date) -> list[SourceObject]:
        """Objects of a day, by name; those whose name begins with . or _ are no logs."""
        ...

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """An object's content, in blocks of at most `BLOCK` bytes.

        Raises:
            SourceChangedError: what was read is not, or not only, what the item describes. It
                comes at the end at the latest.
        """
        ...


def is_log(name: str) -> bool:
    """Whether an object of this name, of a folder or of a bucket, is a log by its name."""
    last = name.rpartition("/")[2]
    # A name that ends with a slash is what consoles make for an empty folder.
    return bool(last) and last[0] not in "._"


def source_changed(name: str) -> SourceChangedError:
    """The error for a file that was replaced while it was read."""
    return SourceChangedError(f"{name} changed while it was copied; is it being written?")
