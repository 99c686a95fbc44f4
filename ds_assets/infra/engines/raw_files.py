"""Raw files of an arrival day, and what is wrong with those that are damaged."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipInfo

from ds_assets.core.decompression import DamagedFileError, decompress
from ds_assets.core.raw_text import utf8
from ds_assets.core.zip_archives import is_zip, list_members, member_number, read_member


@dataclass(frozen=True)
class RawFile:
    """A raw file of an arrival day: its name in the lake and a local path."""

    day: dt.date
    name: str
    path: Path

    def content(self) -> Iterator[bytes]:
        """Yield its text in parts, without compression, as UTF-8; see `decompress` and `utf8`."""
        return utf8(decompress(lambda: self.path.open("rb")))


@dataclass(frozen=True)
class RawMember:
    """A member of a zip archive, named by the archive and its name in it."""

    day: dt.date
    name: str
    archive: Path
    member: ZipInfo

    def content(self) -> Iterator[bytes]:
        """Yield its text in parts, without compression, as UTF-8; see `read_member`."""
        return utf8(read_member(self.archive, self.member))


@dataclass(frozen=True)
class RawLines:
    """Lines of an arrival day in memory, as they would be in a file."""

    day: dt.date
    name: str
    lines: Sequence[str]

    def content(self) -> Iterator[bytes]:
        """Yield its text. Compressed content is not detected."""
        # A newline within a line would shift the numbers of the lines after it.
        text = "".join(line.replace("\n", " ") + "\n" for line in self.lines)
        return utf8([text.encode(errors="surrogatepass")])


@dataclass(frozen=True)
class DamagedArchive:
    """A zip archive whose members cannot be listed, with the reason."""

    day: dt.date
    name: str
    reason: str

    def content(self) -> Iterator[bytes]:
        """Raise `DamagedFileError`."""
        raise DamagedFileError(self.reason)


RawText = RawFile | RawMember | RawLines | DamagedArchive


def number_files(files: Sequence[RawText], start: int = 0) -> dict[int, RawText]:
    """Number files from `start`, with the logs in zip archives in place of the archives.

    The number of a log in an archive is `member_number`.
    """
    numbered: dict[int, RawText] = {}
    for number, file in enumerate(files, start):
        if isinstance(file, RawFile) and is_zip(file.path):
            numbered |= _unpack(number, file)
        else:
            numbered[number] = file
    return numbered


def _unpack(number: int, file: RawFile) -> dict[int, RawText]:
    try:
        members = list_members(file.path)
    except DamagedFileError as error:
        return {number: DamagedArchive(file.day, file.name, str(error))}
    return {
        member_number(number, position): RawMember(
            file.day, f"{file.name}/{member.filename}", file.path, member
        )
        for position, member in enumerate(members)
    }


@dataclass(frozen=True)
class Damage:
    """A file that could not be read to its end: its number, and the reason."""

    file: int
    reason: str


Insert = Callable[[str], None]
"""Inserts lines, given as a query with the columns dt, file, line, content, `text_…`, malformed."""
