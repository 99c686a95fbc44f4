"""The lake in a local folder, or in one on a disk that several machines share."""

import datetime as dt
import errno
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ds_assets.errors import InputError
from ds_assets.infra.lake.base import ABANDONED_AFTER, STAGING, Key, LakeObject, Receive, day_of
from ds_assets.infra.transfer import file_tag

_UNWRITABLE = {errno.EACCES, errno.ENOENT, errno.ENOTDIR, errno.EPERM, errno.EROFS}
"""Errors of a folder that cannot be created, however often it is tried."""


class FolderLake:
    """A lake in a folder. See `Lake` for the methods."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def objects(self, prefix: str) -> list[LakeObject]:
        """See `Lake`."""
        folder = self._root / prefix
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return [_lake_object(path, path.relative_to(self._root).as_posix()) for path in files]

    def entries(self, folder: str) -> list[str]:
        """See `Lake`."""
        return sorted(path.name for path in (self._root / folder).glob("*"))

    def days(self, folder: str) -> list[dt.date]:
        """See `Lake`."""
        return sorted(filter(None, map(day_of, self.entries(folder))))

    def exists(self, name: str) -> bool:
        """See `Lake`."""
        return (self._root / name).is_file()

    def local(self, name: str) -> Path:
        """See `Lake`."""
        return self._root / name

    def local_files(self, names: Iterable[str]) -> list[Path]:
        """See `Lake`."""
        return [self.local(name) for name in names]

    def read(self, name: str) -> bytes:
        """See `Lake`."""
        return (self._root / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """See `Lake`."""
        with self.writing({name: name}) as staged:
            staged[name].write_bytes(content)

    @contextmanager
    def writing(self, names: Mapping[Key, str]) -> Iterator[dict[Key, Path]]:
        """See `Lake`."""
        with self._staging() as folder:
            staged = {key: folder / str(number) for number, key in enumerate(names)}
            yield staged
            for key, name in names.items():
                self._put_in_place(staged[key], name)

    @contextmanager
    def receiving(self) -> Iterator[Receive]:
        """See `Lake`."""
        staged: dict[str, Path] = {}
        with self._staging() as folder:

            def receive(name: str, blocks: Iterable[bytes]) -> None:
                file = folder / uuid.uuid4().hex
                with file.open("wb") as out:
                    out.writelines(blocks)
                staged[name] = file

            yield receive
            for name, file in staged.items():
                self._put_in_place(file, name)

    @contextmanager
    def adopting(self) -> Iterator[tuple[str, dict[str, str]]]:
        """See `Lake`."""
        adopted: dict[str, str] = {}
        with self._staging() as folder:
            yield folder.relative_to(self._root).as_posix(), adopted
            for name, staged in adopted.items():
                self._put_in_place(self._root / staged, name)

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        self._remove_abandoned()
        folder = self._root / STAGING / uuid.uuid4().hex
        self._make(folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            raise InputError(
                f"the lake {self} cannot be written: {error.strerror}; correct DS_ASSETS_LAKE, or "
                "let this user write there"
            ) from None

    def _put_in_place(self, file: Path, name: str) -> None:
        target = self._root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)

    def _remove_abandoned(self) -> None:
        """Remove what killed processes left in staging: a write takes minutes, never days."""
        oldest = time.time() - ABANDONED_AFTER.total_seconds()
        for folder in (self._root / STAGING).glob("*"):
            with suppress(FileNotFoundError):  # its writer or another process removed it first
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder)

    def delete(self, names: Iterable[str]) -> None:
        """See `Lake`."""
        for name in names:
            (self._root / name).unlink(missing_ok=True)

    def delete_folder(self, folder: str) -> None:
        """See `Lake`."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._root / folder)


def _lake_object(path: Path, name: str) -> LakeObject:
    stat = path.stat()
    modified = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC)
    return LakeObject(name, stat.st_size, file_tag(stat), modified)
