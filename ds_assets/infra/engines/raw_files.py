"""Raw files of an arrival day, and what is wrong with those that are damaged."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ds_assets.core.decompression import clean_blocks, text_blocks


@dataclass(frozen=True)
class RawFile:
    """A raw file of an arrival day: its name in the lake and a local path."""

    day: dt.date
    name: str
    path: Path

    def blocks(self) -> Iterator[bytes]:
        """Yield its lines in blocks; see `text_blocks`."""
        return text_blocks(self.path)


@dataclass(frozen=True)
class RawLines:
    """Lines of an arrival day in memory, as they would be in a file."""

    day: dt.date
    name: str
    lines: Sequence[str]

    def blocks(self) -> Iterator[bytes]:
        """Yield its lines in blocks; see `clean_blocks`. Compressed content is not detected."""
        # A newline within a line would shift the numbers of the lines after it.
        text = "".join(line.replace("\n", " ") + "\n" for line in self.lines)
        return clean_blocks([text.encode(errors="surrogatepass")])


RawText = RawFile | RawLines


@dataclass(frozen=True)
class Damage:
    """A file that could not be read to its end: its number, and the reason."""

    file: int
    reason: str


Insert = Callable[[str], None]
"""Inserts lines, given as a query with the columns dt, file, line, content, `text_…`, malformed."""
