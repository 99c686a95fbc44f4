"""Reading the logs in zip archives.

Scope: the members of an archive, and what is wrong with those that cannot be read.
"""

import lzma
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import BadZipFile, ZipFile, ZipInfo

from ds_assets.core.decompression import DamagedFileError, decompress
from ds_assets.core.log_names import is_log

_FIRST_BYTES = (b"PK\x03\x04", b"PK\x05\x06")  # of a member, or of the end of an empty archive
_ERRORS = (BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, EOFError, OSError)
_ENCRYPTED = 1
_NUMBERS = 1 << 32
"""More than the files that are read at once."""


def member_number(archive: int, position: int) -> int:
    """Number a member of an archive by the archive's number and its position, from 0."""
    return archive + _NUMBERS * position


def archive_numbers(numbers: Any) -> Any:
    """Return the numbers of the archives of members; other files keep theirs."""
    return numbers % _NUMBERS


def is_zip(path: Path) -> bool:
    """Return whether a file is a zip archive."""
    with path.open("rb") as raw:
        return raw.read(4) in _FIRST_BYTES


def list_members(path: Path) -> list[ZipInfo]:
    """List the logs in an archive, by the rule of `is_log`, in the archive's order.

    Raises:
        DamagedFileError: the archive has no log, or its list of members cannot be read: it stands
            at the end, so that nothing of a truncated archive is read.
    """
    _open_version.cache_clear()  # another file may have had the same path, size and time
    try:
        members = [member for member in _open(path).infolist() if is_log(member.filename)]
    except (*_ERRORS, ValueError) as error:
        raise DamagedFileError(f"the zip archive is damaged: {error}") from None
    if not members:
        raise DamagedFileError("the zip archive has no log in it")
    return members


def read_member(path: Path, member: ZipInfo) -> Iterator[bytes]:
    """Read a member of an archive, which may be compressed itself; see `decompress`.

    Raises:
        DamagedFileError: as `decompress`, or the member is encrypted.
    """
    if member.flag_bits & _ENCRYPTED:
        raise DamagedFileError("it is encrypted; use a zip archive without a password")
    archive = _open(path)
    try:
        yield from decompress(lambda: cast("BinaryIO", archive.open(member)))
    except _ERRORS as error:
        raise DamagedFileError(f"it is damaged in the zip archive: {error}") from None


def _open(path: Path) -> ZipFile:
    stat = path.stat()
    return _open_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)  # members are read one after the other, and the list of them may be long
def _open_version(path: Path, _changed_ns: int, _size: int) -> ZipFile:
    return ZipFile(path)
