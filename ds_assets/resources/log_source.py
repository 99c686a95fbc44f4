"""The log source: where the game leaves its log files, a folder for each day.

Belongs here: finding the objects of a day and reading them. The source is never written.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ds_assets.resources.lake import file_tag


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


class FolderLogSource:
    """Logs in a folder of this machine."""

    def __init__(self, root: Path, day_path: str) -> None:
        self._root = root
        self._day_path = day_path

    def __str__(self) -> str:
        return str(self._root)

    def folder(self, day: dt.date) -> str:
        """Where a day's objects lie, for people."""
        return f"{self._root / day.strftime(self._day_path)}"

    def objects(self, day: dt.date) -> list[SourceObject]:
        """Objects of a day, by name; those whose name begins with . or _ are no logs."""
        folder = self._root / day.strftime(self._day_path)
        files = (path for path in folder.rglob("*") if path.is_file())
        return sorted(
            (_described(path, folder) for path in files if path.name[0] not in "._"),
            key=lambda item: item.name,
        )

    @contextmanager
    def open(self, item: SourceObject) -> Iterator[BinaryIO]:
        """An object's content, to be read as a stream within the context.

        Raises:
            SourceChangedError: what was read is not, or not only, what the item describes.
        """
        path = self._root / item.key
        with _changed_if_missing(path):
            content = path.open("rb")
        with content:
            yield content
        with _changed_if_missing(path):
            tag = file_tag(path.stat())
        if tag != item.tag:
            raise _changed(path)


class SourceChangedError(Exception):
    """An object was replaced, extended or removed while it was read."""


@contextmanager
def _changed_if_missing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise _changed(path) from None


def _changed(path: Path) -> SourceChangedError:
    return SourceChangedError(f"{path} changed while it was copied; is it being written?")


def _described(path: Path, folder: Path) -> SourceObject:
    stat = path.stat()
    name = path.relative_to(folder).as_posix()
    return SourceObject(name, str(path), stat.st_size, file_tag(stat))
