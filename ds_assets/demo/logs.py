"""The logs that the demo can run on: a shop's year, or a simulated game. Both end on any day.

Scope: which days each has, its game file, and writing it. What is kept between two runs of the demo
is in `home`.
"""

import datetime as dt
import filecmp
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias

from ds_assets.core.day_ranges import list_days
from ds_assets.demo.source import GAME_FILE, write_days, year_of_logs
from ds_assets.game import load_game
from ds_assets.simulate import OfferedUsers, Simulation, SimulationOptions
from ds_assets.simulate.game_file import game_file

WEEK = dt.timedelta(weeks=1)
DayRange: TypeAlias = tuple[dt.date, dt.date]
"""First and last day."""
FindOffered: TypeAlias = Callable[[dt.date], OfferedUsers]
"""Finds the users with an offer in effect on a day; called when the day before is predicted."""
PROMOTIONS = """\

# Two promotions. The simulator's players respond to them, and `truth/` has their true effects.
# Of so few players only large differences can be detected, so half of them are kept for comparison.
promotions:
  return_gift:
    who: churn_probability > 0.2 and country in (KR, JP)
    value: {{cost: 0.5}}
    control: 50%
    group: offers         # a player has one of them at a time
    priority: 1
    from: {begin}
    target: churn
    detects: 20%
  starter_pack:
    who: payment_probability between 0.05 and 0.6
    value: {{cost: 0.2}}
    control: 50%
    group: offers
    from: {begin}
    target: payment
    detects: 10%
# Players who never get an offer.
holdout: 5%
"""


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

    def find_stages(self, days: DayRange) -> Sequence[DayRange]:
        """Find the ranges of days, one after the other, whose logs do not depend on predictions.

        The logs of a later range depend on what is predicted of the earlier ones.
        """
        ...

    def write(
        self,
        home: Path,
        source: Path,
        stages: Sequence[DayRange],
        find_offered: FindOffered,
    ) -> Iterator[dt.date]:
        """Write the logs; those of a day are the same bytes each time, however many days follow.

        Args:
            home: The demo's home.
            source: Folder of the log source.
            stages: The ranges of days, from `find_stages`.
            find_offered: Finds the users with an offer.

        Yields:
            Each day; all logs of a stage are written when its last day comes.
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

    def find_stages(self, days: DayRange) -> Sequence[DayRange]:
        """Find one range: nobody responds to an offer."""
        return [days]

    def write(
        self,
        home: Path,
        source: Path,
        stages: Sequence[DayRange],
        find_offered: FindOffered,
    ) -> Iterator[dt.date]:
        """Write the package's transactions; see `DemoLogs`."""
        del home, find_offered
        ((first, last),) = stages
        for day in write_days(source, first, last):
            yield day.date


class SimulatedLogs:
    """A simulated mobile game of some thousand users, who respond to the offers of promotions."""

    folder: ClassVar = "game"
    game_name: ClassVar = "Simulated game"
    time_zone: ClassVar = "UTC"
    users = 4_000
    days = 77
    most_days = 91
    """Later, few accounts would be left to install."""
    promoted_days = 9
    """The last of `days`, on which users are assigned to promotions: as many as it takes until the
    outcomes of the first two are known. Each is run through the graph by itself, which takes longer
    than all together."""

    def choose_first_day(self, last_day: dt.date) -> dt.date:
        """Choose the first of a fixed number of days."""
        return last_day - dt.timedelta(days=self.days - 1)

    def find_end(self, first_day: dt.date) -> dt.date:
        """Find the last day on which the game is still the same."""
        return first_day + dt.timedelta(days=self.most_days - 1)

    def game_file(self, first_day: dt.date) -> str:
        """Text of the simulated game's file, with its promotions."""
        begin = self._first_assignments(first_day)
        return game_file(self._options(first_day, self.days)) + PROMOTIONS.format(begin=begin)

    def find_stages(self, days: DayRange) -> Sequence[DayRange]:
        """Find the days until the first assignments, and each day after them by itself."""
        first, last = days
        begin = min(self._first_assignments(first), last)
        return [(first, begin), *((day, day) for day in list_days(begin, last)[1:])]

    def write(
        self,
        home: Path,
        source: Path,
        stages: Sequence[DayRange],
        find_offered: FindOffered,
    ) -> Iterator[dt.date]:
        """Simulate the days from the first on, which gives the same each time; see `DemoLogs`."""
        first, last = stages[0][0], stages[-1][1]
        options = self._options(first, (last - first).days + 1)
        with (
            tempfile.TemporaryDirectory(dir=home) as folder,
            Simulation(options, Path(folder)) as simulation,
        ):
            for begin, end in stages:
                for day in list_days(begin, end):
                    simulation.run_day(find_offered(day) if day > stages[0][1] else {})
                    if day == end:
                        simulation.finish()
                        _move_changed(Path(folder) / "source", source)
                        _move_changed(Path(folder) / "truth", home / "truth")
                    yield day

    def _first_assignments(self, first_day: dt.date) -> dt.date:
        return first_day + dt.timedelta(days=self.days - self.promoted_days)

    def _options(self, first_day: dt.date, days: int) -> SimulationOptions:
        return SimulationOptions(users=self.users, days=days, start=first_day, effects=True)


def _move_changed(folder: Path, target: Path) -> None:
    """Move what differs: a new file in place of one with the same bytes would look changed."""
    for file in (it for it in folder.rglob("*") if it.is_file()):
        moved = target / file.relative_to(folder)
        moved.parent.mkdir(parents=True, exist_ok=True)
        if moved.exists() and filecmp.cmp(file, moved, shallow=False):
            file.unlink()
        else:
            shutil.move(file, moved)


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
