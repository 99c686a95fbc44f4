"""The lake: named objects, each of which is replaced atomically.

Scope: the interface of a lake, and the names of folders and objects.
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
    """An object as listed; its tag changes when its content does."""

    name: str
    size: int
    tag: str
    modified: dt.datetime


Receive = Callable[[str, Iterable[bytes]], None]
"""Takes an object's name and the blocks of its content. It may be called from any thread."""


class Lake(Protocol):
    """A store of named objects. Names are paths separated by slashes."""

    def objects(self, prefix: str) -> list[LakeObject]:
        """List the objects below a folder, sorted by name."""
        ...

    def entries(self, folder: str) -> list[str]:
        """List the names of the objects and folders directly below a folder."""
        ...

    def days(self, folder: str) -> list[dt.date]:
        """List the days with a folder `dt=…` directly below a folder, ascending."""
        ...

    def exists(self, name: str) -> bool:
        """Return whether there is such an object."""
        ...

    def local(self, name: str) -> Path:
        """Return a local file with the object's content; the caller must not change it.

        Raises:
            FileNotFoundError: there is no such object. It may also be raised only when the file is
                opened.
        """
        ...

    def local_files(self, names: Iterable[str]) -> list[Path]:
        """Return local files for several objects, in their order; see `local`."""
        ...

    def read(self, name: str) -> bytes:
        """Return an object's content.

        Raises:
            FileNotFoundError: there is no such object.
        """
        ...

    def write(self, name: str, content: bytes) -> None:
        """Create or replace an object."""
        ...

    def writing(self, names: Mapping[Key, str]) -> AbstractContextManager[dict[Key, Path]]:
        """Yield a file to write for each object; they replace the objects when the context ends.

        After an error nothing is replaced. A reader sees an object's old content or its new one.
        """
        ...

    def receiving(self) -> AbstractContextManager[Receive]:
        """Yield a function that stores streamed objects; they are visible when the context ends.

        After an error nothing is replaced. A reader sees an object's old content or its new one.
        """
        ...

    def adopting(self) -> AbstractContextManager[tuple[str, dict[str, str]]]:
        """Yield a folder for another program to write into, and a mapping for the caller to fill.

        The mapping's keys are names of objects, its values the names that they have in the folder.
        They replace the objects when the context ends, and the rest of the folder is removed. After
        an error nothing is replaced.
        """
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; missing ones are ignored."""
        ...

    def delete_folder(self, folder: str) -> None:
        """Delete a folder and the objects below it, one after the other; it may be missing."""
        ...


def day_folder(table: str, day: dt.date) -> str:
    """Return the folder of one day of a table."""
    return f"{table}/dt={day}"


def safe_name(name: str) -> str:
    """Encode any name as a name in the lake that stays in its folder. The encoding is injective.

    Percent signs, backslashes, control characters, and the parts `.`, `..` and the empty one are
    percent-encoded; everything else is kept.
    """
    return "/".join(map(_safe_part, name.split("/")))


def _safe_part(part: str) -> str:
    if not part:
        return "%"  # elsewhere two digits follow it
    if not part.strip("."):
        return part.replace(".", "%2E")
    return re.sub(r"[%\\\x00-\x1f\x7f]", lambda match: f"%{ord(match[0]):02X}", part)


def day_of(folder: str) -> dt.date | None:
    """Return the day of a folder named `dt=YYYY-MM-DD`; None if it is named in any other way."""
    try:
        day = dt.date.fromisoformat(folder.removeprefix("dt="))
    except ValueError:
        return None
    # Python reads further ways to write a date, whose folders `day_folder` would not find.
    return day if folder == f"dt={day}" else None


class LakeUnavailable(Unavailable):
    """The lake cannot be reached, or fails to serve a request."""
