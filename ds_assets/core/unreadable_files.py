"""Estimating how many lines are lost in files that cannot be read to their end.

Scope: the estimate, from sizes and counts alone. Which files are damaged is known by their reader.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_USUAL_BYTES_PER_LINE = 100
"""Taken on a day on which no file can be read, so that nothing better is known."""


@dataclass(frozen=True)
class RawFileLines:
    """A raw file of a day, and what could be read of it.

    Attributes:
        name: Its name.
        size: Its size in bytes, as it is stored.
        lines: Lines with content that were read.
        is_readable: Whether it could be read to its end, as text.
    """

    name: str
    size: int
    lines: int
    is_readable: bool


def estimate_lost_lines(files: Sequence[RawFileLines]) -> dict[str, int]:
    """Estimate the lines that could not be read, of each file that is not readable.

    The lines of such a file are its bytes by the bytes per line of the day's readable files of the
    same kind, as the end of the name shows it, or of all readable files if none is of this kind.
    """
    readable = [file for file in files if file.is_readable]
    usual = _bytes_per_line(readable, _USUAL_BYTES_PER_LINE)
    return {
        file.name: max(
            0, round(file.size / _bytes_per_line(_alike(file, readable), usual)) - file.lines
        )
        for file in files
        if not file.is_readable
    }


def _alike(file: RawFileLines, others: Iterable[RawFileLines]) -> list[RawFileLines]:
    return [other for other in others if _kind(other.name) == _kind(file.name)]


def _kind(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[2].lower()


def _bytes_per_line(files: Sequence[RawFileLines], default: float) -> float:
    lines, size = sum(file.lines for file in files), sum(file.size for file in files)
    return size / lines if lines else default
