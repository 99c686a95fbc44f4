"""The lake: named objects, each of which is replaced as a whole or not at all.

Belongs here: what every lake can do, and how objects are named. What they hold is nobody's
business here.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from ds_assets.errors import Unavailable

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


Receive = Callable[[str, Iterable[bytes]], None]
"""Takes an object's name and the blocks of its content; from any thread."""


class Lake(Protocol):
    """What every lake can do. Objects are named by paths with slashes."""

    def objects(self, prefix: str) -> list[LakeObject]:
        """Objects below a folder of the lake, by name."""
        ...

    def entries(self, folder: str) -> list[str]:
        """Names directly below a folder of the lake, of objects and of folders."""
        ...

    def days(self, folder: str) -> list[dt.date]:
        """Days that have a folder `dt=…` below a folder of the lake, ascending."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        ...

    def local(self, name: str) -> Path:
        """A file on this machine with the object's content; it is not to be changed.

        Raises:
            FileNotFoundError: there is no such object, or opening the file raises it.
        """
        ...

    def local_files(self, names: Iterable[str]) -> list[Path]:
        """The same for several objects, in their order."""
        ...

    def read(self, name: str) -> bytes:
        """An object's content.

        Raises:
            FileNotFoundError: there is no such object.
        """
        ...

    def write(self, name: str, content: bytes) -> None:
        """Create or replace an object."""
        ...

    def writing(self, names: Mapping[Key, str]) -> AbstractContextManager[dict[Key, Path]]:
        """Offer a file to write for each object; each replaces its object when all are written.

        After an error nothing is replaced. A reader sees an object's old content or its new one.
        """
        ...

    def receiving(self) -> AbstractContextManager[Receive]:
        """Offer a function that takes objects as streams; they are in place when the context ends.

        After an error nothing is replaced. A reader sees an object's old content or its new one.
        """
        ...

    def adopting(self) -> AbstractContextManager[tuple[str, dict[str, str]]]:
        """Offer the name of a folder that another program writes into, and a mapping to fill.

        The mapping's keys are names of objects, its values those that they have in the folder: each
        replaces its object when the context ends, and what else is in the folder is removed. After
        an error nothing is replaced.
        """
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; one that is not there is no error."""
        ...


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


def day_of(folder: str) -> dt.date | None:
    """Day of a folder `dt=…`; none where it is no day."""
    try:
        return dt.date.fromisoformat(folder.removeprefix("dt="))
    except ValueError:
        return None


class LakeUnavailable(Unavailable):
    """The container cannot be reached, or fails in what it is asked."""
