"""The logs that the demo can run on: a shop's year, or a simulated game. Both end on any day.

Scope: which days each has, its game file, and writing it. What is kept between two runs of the demo
is in `home`.
"""

import datetime as dt
import filecmp
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from ds_assets.core.day_ranges import list_days
from ds_assets.demo.source import GAME_FILE, write_source, year_of_logs
from ds_assets.game import load_game
from ds_assets.simulate import SimulationOptions, simulate
from ds_assets.simulate.game_file import game_file

WEEK = dt.timedelta(weeks=1)


class DemoLogs(Protocol):
    """Logs of a game that can end on any day."""

    folder: ClassVar[str]
    """Folder of the game below the demo's home; empty for the home itself."""
    game_name: ClassVar[str]
    """Name of the game in its game file."""
    time_zone: ClassVar[str]
    """Time zone of its days."""

    def choose_first_day(self, last_day: dt.date) -> dt.date:
        """Choose the first day of logs that end on a day."""
        ...

    def find_end(self, first_day: dt.date) -> dt.date:
        """Find the last day that logs which begin on a day can be continued to."""
        ...

    def game_file(self, first_day: dt.date) -> str:
        """Text of the game file of logs that begin on a day; its last day may be any."""
        ...

    def write(
        self, home: Path, source: Path, days: tuple[dt.date, dt.date], report: Callable[[int], None]
    ) -> None:
        """Write the logs; those of a day are the same bytes each time, however many days follow.

        Args:
            home: The demo's home.
            source: Folder of the log source.
            days: First and last day.
            report: Called after each day with the number of days written so far.
        """
        ...


class ShopLogs:
    """A year of purchases at a grocery chain, shifted by whole weeks."""

    folder: ClassVar = ""
    game_name: ClassVar = "The Complete Journey"
    time_zone: ClassVar = "America/New_York"

    def choose_first_day(self, last_day: dt.date) -> dt.date:
        """Choose the least shift; a last day on which the stores were shut would show nothing."""
        begin, end = year_of_logs()
        closed = load_game(GAME_FILE).closed_days
        latest = list_days(end - 2 * WEEK + dt.timedelta(days=1), end)
        fitting = [day for day in latest if not (last_day - day).days % 7 and day not in closed]
        return begin + (last_day - max(fitting))

    def find_end(self, first_day: dt.date) -> dt.date:
        """Find the shifted end of the year."""
        begin, end = year_of_logs()
        return end + (first_day - begin)

    def game_file(self, first_day: dt.date) -> str:
        """Text of the shop's game file with shifted days."""
        shift = first_day - year_of_logs()[0]
        closed = sorted(day + shift for day in load_game(GAME_FILE).closed_days.dates)
        values = {"first_day": str(first_day), "closed_days": f"[{', '.join(map(str, closed))}]"}
        return set_keys(GAME_FILE.read_text(encoding="utf-8"), values)

    def write(
        self, home: Path, source: Path, days: tuple[dt.date, dt.date], report: Callable[[int], None]
    ) -> None:
        """Write the package's transactions; see `DemoLogs`."""
        del home
        first, last = days
        write_source(source, report, first_day=first, last_day=last)


class SimulatedLogs:
    """A simulated mobile game of some thousand users, from its first weeks on."""

    folder: ClassVar = "game"
    game_name: ClassVar = "Simulated game"
    time_zone: ClassVar = "UTC"
    users = 4_000
    days = 77
    most_days = 91
    """Later, few accounts would be left to install."""

    def choose_first_day(self, last_day: dt.date) -> dt.date:
        """Choose the first of a fixed number of days."""
        return last_day - dt.timedelta(days=self.days - 1)

    def find_end(self, first_day: dt.date) -> dt.date:
        """Find the last day on which the game is still the same."""
        return first_day + dt.timedelta(days=self.most_days - 1)

    def game_file(self, first_day: dt.date) -> str:
        """Text of the simulated game's file."""
        return game_file(self._options(first_day, self.days))

    def write(
        self, home: Path, source: Path, days: tuple[dt.date, dt.date], report: Callable[[int], None]
    ) -> None:
        """Simulate the days again from the first, which gives the same; see `DemoLogs`."""
        first, last = days
        options = self._options(first, (last - first).days + 1)
        with tempfile.TemporaryDirectory(dir=home) as folder:
            simulate(options, Path(folder), report)
            _copy_changed(Path(folder) / "source", source)
            _copy_changed(Path(folder) / "truth", home / "truth")

    def _options(self, first_day: dt.date, days: int) -> SimulationOptions:
        return SimulationOptions(users=self.users, days=days, start=first_day)


def _copy_changed(folder: Path, target: Path) -> None:
    """Copy what differs: a new file in place of one with the same bytes would look changed."""

    def copy(file: str, copied: str) -> None:
        if not Path(copied).exists() or not filecmp.cmp(file, copied, shallow=False):
            shutil.copyfile(file, copied)

    shutil.copytree(folder, target, copy_function=copy, dirs_exist_ok=True)


def set_keys(text: str, values: Mapping[str, str | None]) -> str:
    """Set keys of a game file that it has in a line each; comments stay.

    Args:
        text: Text of the file.
        values: New values by key; None to remove the line.
    """
    for key, value in values.items():
        line = "" if value is None else rf"{key}: {value}\1\n"
        text = re.sub(rf"(?m)^{key}:[^#\n]*?( *#.*)?\n", line, text)
    return text
