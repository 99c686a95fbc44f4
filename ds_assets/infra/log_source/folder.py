"""Logs in a local folder."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ds_assets.infra.log_source.base import SourceObject, source_changed
from ds_assets.infra.transfer import BLOCK, file_tag


class FolderLogSource:
    """Logs in a local folder.

    Args:
        root: The folder.
        day_path: `strftime` pattern of a day's folder below it.
    """

    def __init__(self, root: Path, day_path: str) -> None:
        self._root = root
        self._day_path = day_path

    def __str__(self) -> str:
        return str(self._root)

    def folder(self, day: dt.date) -> str:
        """See `LogSource`."""
        return f"{self._root / day.strftime(self._day_path)}"

    def objects(self, day: dt.date) -> list[SourceObject]:
        """See `LogSource`."""
        folder = self._root / day.strftime(self._day_path)
        files = (path for path in folder.rglob("*") if path.is_file())
        return sorted((_source_object(path, folder) for path in files), key=lambda item: item.name)

    def folders(self, parent: str) -> list[str]:
        """See `LogSource`."""
        return [path.name for path in (self._root / parent).glob("*") if path.is_dir()]

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """See `LogSource`."""
        path = self._root / item.key
        with _changed_if_missing(path), path.open("rb") as content:
            yield from iter(lambda: content.read(BLOCK), b"")
            if file_tag(path.stat()) != item.tag:
                raise source_changed(str(path))


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
