"""The newest log files of an installation, for a look at what they hold.

Scope: finding the newest days of a log source, and some of their files, with bounded work. Whole
days are listed and copied by `infra.lake.raw_logs`.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from ds_assets.core.log_names import is_log
from ds_assets.game import Game
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.raw_logs import RAW, raw_objects
from ds_assets.infra.log_source.base import LogSource
from ds_assets.infra.log_source.day_folders import DayFolders

MAX_DAYS = 3
MAX_BYTES_PER_DAY = 32 << 20

File = TypeVar("File")


def find_source_days(folders: DayFolders, game: Game) -> list[dt.date]:
    """List the newest days that have a folder in a log source, ascending."""
    return folders.find_newest_days(game.first_day, newest_day(game))


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
            for log in within_budget(
                raw_objects(day, lake), lambda log: log.stored.size, MAX_BYTES_PER_DAY
            )
        )
        return [RawFile(log.day, log.name, lake.local(log.stored.name)) for log in logs]
    return list(_copy_newest_files(source, game, folder))


def _copy_newest_files(source: LogSource, game: Game, folder: Path) -> Iterator[RawFile]:
    folders = DayFolders(source)
    for day in find_source_days(folders, game)[-MAX_DAYS:]:
        logs = [item for item in folders.objects(day) if is_log(item.name)]
        for number, item in enumerate(within_budget(logs, lambda log: log.size, MAX_BYTES_PER_DAY)):
            path = folder / f"{day}-{number}"
            with path.open("wb") as copy:
                copy.writelines(source.blocks(item))
            yield RawFile(day, item.name, path)


def within_budget(
    files: Iterable[File], size: Callable[[File], int], max_bytes: int
) -> Iterator[File]:
    """Yield files, the smallest first, up to a number of bytes together."""
    remaining = max_bytes
    for file in sorted(files, key=size):
        remaining -= size(file)
        if remaining < 0:
            return
        yield file
