"""How seconds and peak memory of a day's whole run grow: `make bench-growth`.

A run is everything from the day's logs to the cache, with checks and default limits, in a process
of its own. What the day is built on is made before and not measured. Each point stands beside the
control in the same run, `controls/plain_day.py`, which reads the same logs.
"""

import datetime as dt
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.first_import import import_rows
from benchmarks.larger_games import (
    OF_EVENT,
    OF_USER,
    link_folder,
    multiply_event_ids,
    multiply_logs,
    multiply_users,
)
from benchmarks.measuring import Circumstances, Measured, run_child, say, values
from benchmarks.report import Goal, Place, Row, absolute, ratio
from benchmarks.training_days import last_day
from benchmarks.whole_day import open_game
from ds_assets.game import load_game

DAY, CONTROL = "subjects.last_day", "controls.plain_day"
GAME, HOME = "game.yaml", "home"
LEAST = "reading the day's logs, and one LightGBM fit of 100,000 rows"
ACCOUNTS, DAYS = 15_500, 60
"""Of the game whose days are multiplied: 10,000 active users, and 0.1 million events a day."""
YEAR, YEAR_ACCOUNTS, YEAR_TIMES = 365, 5_000, 4
"""A year of a game, and the copies of its users: 11,000 active ones. Their 90 days fill the bound
on the rows that models are trained on; fewer users would teach more with each day of history."""
GAME_ACCOUNTS = 2_500
QUICK_FEWER = 10
"""How many times fewer accounts a quick run simulates."""
YES = Goal(comparison="=", limit=1)
LINEAR = Goal(comparison="<=", limit=5)
"""Of the time of five times the events."""
MAX_GROWTH_BY_HISTORY = Goal(comparison="<=", limit=1.2)
MAX_MEMORY_MB = Goal(comparison="<=", limit=3_000)

EVENT_TIMES, QUICK_EVENT_TIMES = (1, 10, 100, 500), (1, 10)
USER_TIMES, QUICK_USER_TIMES = (1, 6, 50, 200), (1, 6)
HISTORIES, QUICK_HISTORIES = (30, 90, YEAR), (30, 90)
GAMES, QUICK_GAMES = (1, 5, 20), (1, 2)
TARGET_COUNTS, QUICK_TARGET_COUNTS = (2, 5, 10), (2, 5)
WINDOWS = (1, 3, 7, 14, 28)
TARGETS = {
    "first_purchase": {"event": ["purchase"], "population": "never_paid", "horizon": 7},
    "level_up": {"event": ["level_up"], "horizon": 7},
    "spends_10": {"spend_at_least": 10, "horizon": 7},
    "stage_clear": {"event": ["stage_clear"], "horizon": 7},
    "ad_view": {"event": ["ad_view"], "horizon": 7},
    "gacha_draw": {"event": ["gacha_draw"], "horizon": 7},
    "session": {"event": ["session_start"], "horizon": 7},
    "purchase_in_3": {"event": ["purchase"], "horizon": 3},
    "level_up_in_3": {"event": ["level_up"], "horizon": 3},
    "ad_view_in_3": {"event": ["ad_view"], "horizon": 3},
}


@dataclass(frozen=True)
class Point:
    """A point of an axis: what its days and its controls reported.

    Attributes:
        series: Name of its line, empty where an axis has a single one.
        at: Where on the axis.
        runs: What each run of the day reported; none if one failed.
        controls: What each control reported.
    """

    series: str
    at: int
    runs: list[Measured]
    controls: list[Measured]


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure all parts, or those that are asked for."""
    rows: list[Row] = []
    for part in circumstances.only or PARTS:
        folder = circumstances.scratch / part
        folder.mkdir()
        rows += PARTS[part](folder, circumstances)
        shutil.rmtree(folder)
    return rows


def event_rows(folder: Path, circumstances: Circumstances) -> Iterator[Row]:
    """Copies of the events of each day, of the same users.

    The ids of earlier events, by which repeated ones are found, are as many times as many.
    """
    game = simulate_game(folder, ACCOUNTS, DAYS, circumstances)
    points = []
    for times in QUICK_EVENT_TIMES if circumstances.quick else EVENT_TIMES:
        say(f"  {times} times the events of a day")
        larger = copy_game(game, folder / "larger", times, (OF_EVENT,))
        link_folder(game / HOME, larger / HOME)
        shutil.rmtree(larger / HOME / "lake" / "event_ids")
        copy_event_ids(game, larger, times)
        runs, controls = measure_day(larger, 1)
        points.append(Point("", int(controls[0]["events"]), runs, controls))
        shutil.rmtree(larger)
    yield from point_rows("events a day", points)
    yield from growth_rows("five times the events", points[-2:], LINEAR)
    yield passed_row("most events", points[-1])


def user_rows(folder: Path, circumstances: Circumstances) -> Iterator[Row]:
    """Copies of each user, with their history and their events of the day."""
    game = simulate_game(folder, ACCOUNTS, DAYS, circumstances)
    points: list[Point] = []
    for times in QUICK_USER_TIMES if circumstances.quick else USER_TIMES:
        say(f"  {times} times the users")
        larger = copy_users(game, folder / "larger", times)
        runs, controls = measure_day(larger, 1)
        users = points[0].at * times if points else int(runs[0]["rows"])
        points.append(Point("", users, runs, controls))
        shutil.rmtree(larger)
    yield from point_rows("active users", points)
    yield passed_row("most users", points[-1])
    for point in points[-1:]:
        if memory := values(point.runs, "peak_rss_mb"):
            yield absolute("most users: peak memory", memory, "MB", MAX_MEMORY_MB)


def history_rows(folder: Path, circumstances: Circumstances) -> Iterator[Row]:
    """The same last day after more days, with windows of four weeks and of a year."""
    histories = QUICK_HISTORIES if circumstances.quick else HISTORIES
    year = simulate_game(folder, YEAR_ACCOUNTS, histories[-1], circumstances, has_home=False)
    for windows in (WINDOWS, (*WINDOWS, YEAR)):
        series = f"windows up to {windows[-1]} days"
        points = []
        for days in histories:
            say(f"  {series}, {days} days of history")
            game = shorten_game(year, folder / "shorter", days, windows)
            larger = copy_users(game, folder / "larger", YEAR_TIMES)
            points.append(Point(series, days, *measure_day(larger, circumstances.repetitions)))
            shutil.rmtree(game)
            shutil.rmtree(larger)
        yield from point_rows("days of history", points)
        before, after = points[-2:]
        name = f"{series}, {after.at} days of history over {before.at}"
        yield from growth_rows(name, points[-2:], MAX_GROWTH_BY_HISTORY)


def game_rows(folder: Path, circumstances: Circumstances) -> Iterator[Row]:
    """The same day of so many games, one after the other: each is an installation of its own."""
    game = simulate_game(folder, GAME_ACCOUNTS, DAYS, circumstances)
    points = []
    for count in QUICK_GAMES if circumstances.quick else GAMES:
        say(f"  {count} games")
        points.append(measure_games(game, count))
    yield from point_rows("games", points)
    first, last = points[0], points[-1]
    per_game = [run["seconds"] / last.at for run in last.runs]
    yield ratio(
        f"time of each of {last.at} games", per_game, "one game", values(first.runs, "seconds")
    )


def target_rows(folder: Path, circumstances: Circumstances) -> Iterator[Row]:
    """More targets of the game's own, beside churn and payment."""
    game = simulate_game(folder, ACCOUNTS, DAYS, circumstances, targets=TARGETS)
    points = []
    for count in QUICK_TARGET_COUNTS if circumstances.quick else TARGET_COUNTS:
        say(f"  {count} targets")
        change_game(game, targets=dict(list(TARGETS.items())[:count]))
        runs, controls = measure_day(game, circumstances.repetitions)
        if set(values(runs, "models")) != {count}:
            raise ValueError("a target had not enough data for a model: its cost was not measured")
        points.append(Point("", count, runs, controls))
    yield from point_rows("targets of the game's own", points)


def first_import_rows(folder: Path, circumstances: Circumstances) -> Iterator[Row]:
    """All days of a year, read and predicted from by the first run of an installation."""
    days = QUICK_HISTORIES[-1] if circumstances.quick else YEAR
    game = simulate_game(folder, YEAR_ACCOUNTS, days, circumstances, has_home=False)
    yield from import_rows(game, days)


def simulate_game(
    folder: Path,
    accounts: int,
    days: int,
    circumstances: Circumstances,
    *,
    has_home: bool = True,
    **changes: object,
) -> Path:
    """Simulate a game, and make what its last day is built on, in the folder `HOME` of it."""
    accounts //= QUICK_FEWER if circumstances.quick else 1
    game = folder / "game"
    say(f"  simulating {accounts:,} accounts over {days} days")
    run_child("subjects.simulate_game", [str(accounts), str(days), game], folder)
    change_game(game, **changes)
    if has_home:
        make_history(game)
    return game


def make_history(game: Path) -> None:
    """Make what the last day of a game is built on."""
    say("  making what the day is built on")
    run_child("subjects.days_before", [game, game / HOME, "1"], game)


def change_game(game: Path, **changes: object) -> None:
    """Change keys of a game file."""
    file = game / GAME
    content = yaml.safe_load(file.read_text(encoding="utf-8")) | changes
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def copy_game(game: Path, copy: Path, times: int, marks: Sequence[bytes]) -> Path:
    """Make a game whose last day has the logs of another one so many times, under other ids."""
    day = f"source/dt={last_day(load_game(game / GAME))}"
    multiply_logs(game / day, copy / day, times, marks)
    shutil.copy(game / GAME, copy)
    return copy


def copy_users(game: Path, copy: Path, times: int) -> Path:
    """Make a game in which each user of another one is there so many times, with its history."""
    copy_game(game, copy, times, (OF_EVENT, OF_USER))
    multiply_users(open_game(game, game / HOME, GAME), copy / HOME, times)
    copy_event_ids(game, copy, times)
    return copy


def copy_event_ids(game: Path, copy: Path, times: int) -> None:
    """Store so many times the event ids of the days before in the lake of a copy."""
    lake, larger = (open_game(it, it / HOME, GAME).lake() for it in (game, copy))
    multiply_event_ids(lake, larger, times)


def shorten_game(game: Path, shorter: Path, days: int, windows: Sequence[int]) -> Path:
    """Make a game of the last days of another one, and what its last day is built on."""
    shorter.mkdir()
    (shorter / "source").symlink_to(game / "source")
    shutil.copy(game / GAME, shorter)
    first = last_day(load_game(game / GAME)) - dt.timedelta(days=days - 1)
    change_game(shorter, first_day=first, windows=list(windows))
    make_history(shorter)
    return shorter


def measure_day(game: Path, rounds: int) -> tuple[list[Measured], list[Measured]]:
    """Run the last day of a game on its home, and the control beside it.

    Returns:
        What the runs and the controls reported; no runs if one of them failed.
    """
    runs, controls = [], []
    logs = game / "source" / f"dt={last_day(load_game(game / GAME))}"
    for number in range(rounds):
        home = game / f"round-{number}"
        link_folder(game / HOME, home)
        controls.append(run_child(CONTROL, [logs], game))
        try:
            runs.append(run_child(DAY, [game, home], game))
        except subprocess.CalledProcessError as error:
            say(f"    the day failed: {error}")
            return [], controls
        finally:
            shutil.rmtree(home)
        say(f"    {json.dumps(runs[-1])}  control {json.dumps(controls[-1])}")
    return runs, controls


def measure_games(game: Path, count: int) -> Point:
    """Run the last day of so many copies of a game, each in a process of its own.

    The time is the sum of their times, the memory the most that one of them needed.
    """
    measured = [measure_day(game, 1) for _ in range(count)]
    runs = [run for own, _ in measured for run in own]
    if len(runs) < count:
        return Point("", count, [], [])
    together = {
        "seconds": sum(values(runs, "seconds")),
        "peak_rss_mb": max(values(runs, "peak_rss_mb")),
    }
    control = sum(run["seconds"] for _, own in measured for run in own)
    return Point("", count, [together], [{"seconds": control}])


def point_rows(axis: str, points: Sequence[Point]) -> Iterator[Row]:
    """Seconds, ratio to the control and peak memory of each point."""
    for point in points:
        if point.runs:
            yield from _rows_of(axis, point)


def _rows_of(axis: str, point: Point) -> Iterator[Row]:
    about = f"{point.at:,} {axis}" + (f", {point.series}" if point.series else "")
    seconds, control = values(point.runs, "seconds"), values(point.controls, "seconds")
    memory = values(point.runs, "peak_rss_mb")
    place = Place(series=point.series, at=point.at)
    for row in (
        absolute(f"{about}: time", seconds, "s"),
        ratio(f"{about}: time", seconds, LEAST, control),
        absolute(f"{about}: peak memory", memory, "MB"),
    ):
        yield row.model_copy(update={"place": place})


def growth_rows(name: str, points: Sequence[Point], goal: Goal) -> Iterator[Row]:
    """The time of the last of two points over that of the first, where both passed."""
    before, after = (values(point.runs, "seconds") for point in points)
    if before and after:
        yield ratio(f"{name}: time", after, f"{points[0].at:,}", before, goal)


def passed_row(name: str, point: Point) -> Row:
    """Whether the day passed with default limits."""
    passed = float(bool(point.runs))
    return absolute(f"{name} ({point.at:,}): the day passes", [passed], "1 is yes", YES)


PARTS: Mapping[str, Callable[[Path, Circumstances], Iterator[Row]]] = {
    "events": event_rows,
    "history": history_rows,
    "users": user_rows,
    "games": game_rows,
    "targets": target_rows,
    "import": first_import_rows,
}
"""What can be measured alone, given an empty folder."""
