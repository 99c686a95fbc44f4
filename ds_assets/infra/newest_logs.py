"""The newest log files of an installation, for a look at what they hold.

Scope: finding the newest days of a log source, and some of their files, with bounded work. Whole
days are listed and copied by `infra.lake.raw_logs`.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from ds_assets.core.log_names import is_log
from ds_assets.game import Game
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.raw_logs import RAW, raw_objects
from ds_assets.infra.log_source.base import LogSource

MAX_DAYS = 3
MAX_BYTES_PER_DAY = 32 << 20
_MAX_FOLDERS = 24
"""Folders that are listed to find the newest days, where each month has its own."""

File = TypeVar("File")


def find_source_days(source: LogSource, game: Game) -> list[dt.date]:
    """List days of a log source, ascending: the newest one, and those in the folder beside it."""
    day = newest_day(game)
    parents: set[str] = set()
    while (parent := _parent(day, game)) not in parents and len(parents) < _MAX_FOLDERS:
        parents.add(parent)
        if days := sorted(_parse_days(source.folders(parent), parent, game.logs.path)):
            return days
        day = max(game.first_day, day.replace(day=1) - dt.timedelta(days=1))
    return []


def newest_day(game: Game) -> dt.date:
    """The newest day of a game that has ended; its first day if none has."""
    yesterday = dt.datetime.now(ZoneInfo(game.time_zone)).date() - dt.timedelta(days=1)
    return max(game.first_day, min(yesterday, game.last_day or yesterday))


def find_newest_files(lake: Lake, source: LogSource, game: Game, folder: Path) -> list[RawFile]:
    """Find files of the newest `MAX_DAYS` days in the lake, or in the log source if it has none.

    Args:
        lake: The lake.
        source: The log source.
        game: The game.
        folder: Folder for copies of the source's files.

    Returns:
        Files of at most `MAX_BYTES_PER_DAY` together for each day; none if there are no logs.
    """
    if days := lake.days(RAW)[-MAX_DAYS:]:
        logs = (
            log
            for day in days
            for log in _within_budget(raw_objects(day, lake), lambda log: log.stored.size)
        )
        return [RawFile(log.day, log.name, lake.local(log.stored.name)) for log in logs]
    return list(_copy_newest_files(source, game, folder))


def _copy_newest_files(source: LogSource, game: Game, folder: Path) -> Iterator[RawFile]:
    for day in find_source_days(source, game)[-MAX_DAYS:]:
        logs = [item for item in source.objects(day) if is_log(item.name)]
        for number, item in enumerate(_within_budget(logs, lambda log: log.size)):
            path = folder / f"{day}-{number}"
            with path.open("wb") as copy:
                copy.writelines(source.blocks(item))
            yield RawFile(day, item.name, path)


def _within_budget(files: Iterable[File], size: Callable[[File], int]) -> Iterator[File]:
    """Yield files, the smallest first, until they are `MAX_BYTES_PER_DAY`."""
    remaining = MAX_BYTES_PER_DAY
    for file in sorted(files, key=size):
        remaining -= size(file)
        if remaining < 0:
            return
        yield file


def _parent(day: dt.date, game: Game) -> str:
    return day.strftime(game.logs.path).rpartition("/")[0]


def _parse_days(names: Sequence[str], parent: str, pattern: str) -> Iterator[dt.date]:
    for name in names:
        path = f"{parent}/{name}".removeprefix("/")
        try:
            day = dt.datetime.strptime(path, pattern).date()  # noqa: DTZ007  (a date)
        except ValueError:
            continue
        if day.strftime(pattern) == path:
            yield day
