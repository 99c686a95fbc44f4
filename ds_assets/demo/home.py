"""The demo's home: new, continued with the days that have come since, or begun again.

Scope: which days the demo has, and what is kept of an earlier demo.
"""

import datetime as dt
import shutil
from pathlib import Path
from zoneinfo import ZoneInfo

from ds_assets.demo.logs import DemoLogs, set_keys
from ds_assets.errors import InputError
from ds_assets.game import Game, load_game

EARLIEST = dt.date(2002, 1, 1)
_GAME_FILE = "game.yaml"
_WRITTEN = ("source", "truth", "lake", "lake_cache", "results.sqlite*", "cache", "dagster")
"""What the demo writes below its home beside the game file."""


def prepare_home(home: Path, logs: DemoLogs, last_day: dt.date | None) -> tuple[dt.date, dt.date]:
    """Make a folder a home of the demo, with the game file of logs that end on a day.

    A home of an earlier demo keeps its first day, and gets the days that have come since. If its
    logs cannot reach the day, or its game file is another, all that the demo wrote is removed.

    Args:
        home: The folder.
        logs: The logs.
        last_day: Last day of a game that has ended; None for a live game, whose logs end
            yesterday.

    Returns:
        First and last day of the logs.

    Raises:
        InputError: the day is not over, or the folder is of another game or cannot be written.
    """
    last = _choose_last_day(logs, last_day)
    file = home / _GAME_FILE
    stored = _load_stored_game(file, logs)
    first = _choose_first_day(stored, logs, last, is_ended=last_day is not None)
    values = {"last_day": str(last) if last_day else None}
    text = set_keys(logs.game_file(first), values)
    try:
        if stored is not None and file.read_text(encoding="utf-8") != text:
            _remove_earlier_demo(home)
        home.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"the home of the demo cannot be written: {error}") from None
    return first, last


def find_yesterday(time_zone: str) -> dt.date:
    """Find the newest day that is over in a time zone."""
    return dt.datetime.now(ZoneInfo(time_zone)).date() - dt.timedelta(days=1)


def _choose_last_day(logs: DemoLogs, last_day: dt.date | None) -> dt.date:
    yesterday = find_yesterday(logs.time_zone)
    if last_day is not None and not EARLIEST <= last_day <= yesterday:
        raise InputError(
            f"--last-day: found {last_day}; accepted: {EARLIEST} to {yesterday}, yesterday in "
            f"{logs.time_zone}"
        )
    return last_day or yesterday


def _load_stored_game(file: Path, logs: DemoLogs) -> Game | None:
    if not file.exists():
        return None
    game = load_game(file)
    if game.name != logs.game_name:
        raise InputError(
            f"{file} is of the game {game.name!r}, which the demo would remove; choose another "
            "--home"
        )
    return game


def _choose_first_day(
    stored: Game | None, logs: DemoLogs, last: dt.date, *, is_ended: bool
) -> dt.date:
    is_live = stored is not None and stored.last_day is None and not is_ended
    if stored and is_live and stored.first_day <= last <= logs.find_end(stored.first_day):
        return stored.first_day
    return logs.choose_first_day(last)


def _remove_earlier_demo(home: Path) -> None:
    """Remove what an earlier demo wrote; the game file, by which it is recognized, stays."""
    for pattern in _WRITTEN:
        for path in home.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
