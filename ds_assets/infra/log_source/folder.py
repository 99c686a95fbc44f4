"""Logs in a local folder."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ds_assets.infra.log_source.base import Entries, SourceObject, source_changed
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.transfer import BLOCK, file_tag
from ds_assets.path_patterns import PathPattern


class FolderLogSource:
    """Logs in a local folder.

    Args:
        root: The folder.
        pattern: Where the files of a day are below it.
    """

    def __init__(self, root: Path, pattern: PathPattern) -> None:
        self._root = root
        self.pattern = pattern

    def __str__(self) -> str:
        return str(self._root)

    def folder(self, day: dt.date) -> str:
        """See `DailyFiles`."""
        return DayFolders(self).folder(day)

    def objects(self, day: dt.date) -> list[SourceObject]:
        """See `DailyFiles`."""
        return DayFolders(self).objects(day)

    def entries(self, parent: str) -> Entries:
        """See `LogSource`."""
        folder = self._root / parent
        paths = [*folder.glob("*")]
        files = (_source_object(path, folder) for path in paths if path.is_file())
        folders = frozenset(path.name for path in paths if path.is_dir() and not _is_loop(path))
        return Entries(folders, {file.name: file for file in files})

    def below(self, folder: str) -> list[SourceObject]:
        """See `LogSource`."""
        top = self._root / folder
        return [_source_object(path, top) for path in top.rglob("*") if path.is_file()]

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """See `DailyFiles`."""
        path = self._root / item.key
        with _changed_if_missing(path), path.open("rb") as content:
            yield from iter(lambda: content.read(BLOCK), b"")
            if file_tag(path.stat()) != item.tag:
                raise source_changed(str(path))


def _is_loop(path: Path) -> bool:
    """Whether a path is a link to a folder that it is in."""
    return path.is_symlink() and path.parent.resolve().is_relative_to(path.resolve())


@contextmanager
def _changed_if_missing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise source_changed(str(path)) from None


def _source_object(path: Path, folder: Path) -> SourceObject:
    stat = path.stat()
    name = path.relative_to(folder).as_posix()
    modified = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)
    return SourceObject(name, str(path), stat.st_size, file_tag(stat), modified)
