"""The log files of a day, in the lake or the log source, up to a size.

Scope: listing them, and local copies of those of the source. Nothing is written into the lake.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ds_assets.game import Game
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.raw_logs import RawDay, SourceDay, list_raw_day, list_source_day
from ds_assets.infra.log_source.base import LogSource, SourceChangedError
from ds_assets.infra.newest_logs import within_budget

MAX_BYTES = 256 << 20
"""Bytes of a day that are read, of the smallest files."""


@dataclass(frozen=True)
class DayFiles:
    """The log files of a day.

    Attributes:
        day: The day.
        place: Where they are.
        files: Number of log files.
        size: Their bytes.
        ignored: Number of other files.
        read: Those to read: all, or the smallest ones of at most `MAX_BYTES`.
    """

    day: dt.date
    place: Literal["lake", "source"]
    files: int
    size: int
    ignored: int
    read: Sequence[RawFile]


def open_day_files(
    day: dt.date, lake: Lake, source: LogSource, game: Game, folder: Path
) -> DayFiles:
    """List the log files of a day: those in the lake, or those in the source if it has none.

    Args:
        day: The day.
        lake: The lake.
        source: The log source.
        game: Names the marker of a complete day.
        folder: Folder for copies of the source's files.

    Raises:
        Unavailable: the lake or the source cannot be used.
    """
    stored = list_raw_day(day, lake)
    if stored.logs:
        return _of_lake(day, stored, lake)
    return _of_source(day, list_source_day(day, source, game.logs), source, folder)


def _of_lake(day: dt.date, stored: RawDay, lake: Lake) -> DayFiles:
    chosen = within_budget(stored.logs, lambda log: log.stored.size, MAX_BYTES)
    read = [RawFile(day, log.name, lake.local(log.stored.name)) for log in chosen]
    size = sum(log.stored.size for log in stored.logs)
    return DayFiles(day, "lake", len(stored.logs), size, len(stored.ignored), read)


def _of_source(day: dt.date, listed: SourceDay, source: LogSource, folder: Path) -> DayFiles:
    read = list(_copy(day, listed, source, folder))
    size = sum(log.size for log in listed.logs)
    ignored = [name for name in listed.ignored if not listed.marker or name != listed.marker.name]
    return DayFiles(day, "source", len(listed.logs), size, len(ignored), read)


def _copy(day: dt.date, listed: SourceDay, source: LogSource, folder: Path) -> Iterator[RawFile]:
    """Copy files; one that is still being written counts as not looked at."""
    chosen = within_budget(listed.logs, lambda log: log.size, MAX_BYTES)
    for number, item in enumerate(chosen):
        path = folder / f"{day}-{number}"
        with suppress(SourceChangedError):
            with path.open("wb") as copy:
                copy.writelines(source.blocks(item))
            yield RawFile(day, item.name, path)
