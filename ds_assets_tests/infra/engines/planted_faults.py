"""Logs of two days of a small game, and faults that are planted into the second one.

A fault changes the lines of the day; `FAULTS` has each with the code of the diagnostic that has to
name it.
"""

import datetime as dt
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from ds_assets.core.log_counts import DayLogs
from ds_assets.core.log_diagnostics import Diagnostic, diagnose_days
from ds_assets.core.log_drift import compare
from ds_assets.game import Game
from ds_assets.infra.day_files import DayFiles
from ds_assets.infra.engines.log_counts import count_day
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.onboarding.diagnosis import describe_sources
from ds_assets_tests.infra.engines.lines import START, WRITERS, Line, make_game

BEFORE = START
DAY = START + dt.timedelta(7)
USERS = 150
LINES = 1_500
PRICES = (0.99, 4.99, 9.99, 19.99)
Plant = Callable[[list[Line]], list[Line]]


def make_planted_game(file_format: str) -> Game:
    return make_game(
        file_format,
        fields={"amount": "price", "currency": "money"},
        currencies={"USD": 1, "EUR": 1.1},
        properties={"score": "score"},
        attributes={"country": {"field": "country"}},
        events={"purchases": ["buy"], "counted": ["win", "play"]},
    )


def clean_lines(day: dt.date, seed: int = 1) -> list[Line]:
    """Lines over all hours of a day; a tenth are purchases."""
    return list(_make_lines(day, random.Random(f"{day} {seed}")))


def _make_lines(day: dt.date, chance: random.Random) -> Iterator[Line]:
    midnight = dt.datetime.combine(day, dt.time())
    for second in sorted(chance.randrange(86_400) for _ in range(LINES)):
        kind = chance.choices(["play", "win", "buy"], [70, 20, 10])[0]
        is_purchase = kind == "buy"
        yield {
            "u": f"user{chance.randrange(USERS)}",
            "t": f"{midnight + dt.timedelta(seconds=second):%Y-%m-%d %H:%M:%S}",
            "e": kind,
            "price": chance.choice(PRICES) if is_purchase else None,
            "money": chance.choice(["USD", "EUR"]) if is_purchase else None,
            "score": chance.randrange(1, 1000),
            "country": chance.choice(["KR", "US", "DE"]),
        }


def _change(**changes: Callable[[Line], object]) -> Plant:
    def plant(lines: list[Line]) -> list[Line]:
        return [line | {name: change(line) for name, change in changes.items()} for line in lines]

    return plant


def _shift(hours: int) -> Plant:
    def shifted(line: Line) -> str:
        return f"{dt.datetime.fromisoformat(line['t']) + dt.timedelta(hours=hours)}"

    return _change(t=shifted)


def _without(name: str) -> Plant:
    return lambda lines: [{it: line[it] for it in line if it != name} for line in lines]


def _epoch(factor: int) -> Plant:
    def epoch(line: Line) -> str:
        moment = dt.datetime.fromisoformat(line["t"]).replace(tzinfo=dt.UTC)
        return str(int(moment.timestamp() * factor))

    return _change(t=epoch)


def _every(step: int, plant: Plant) -> Plant:
    """Plant a fault into one of some lines."""

    def planted(lines: list[Line]) -> list[Line]:
        return [plant([line])[0] if n % step == 0 else line for n, line in enumerate(lines)]

    return planted


def _one_payer(line: Line) -> object:
    return "user0" if line["price"] and line["price"] > PRICES[1] else line["u"]


FAULTS: dict[str, tuple[str, Plant]] = {
    "times of a zone nine hours ahead": ("zone", _shift(9)),
    "times of a zone nine hours behind": ("zone", _shift(-9)),
    "times of a zone one hour ahead": ("zone", _shift(1)),
    "amounts in cents": (
        "unit",
        _change(price=lambda line: line["price"] and round(100 * line["price"])),
    ),
    "a lost field": ("lost_field", _without("country")),
    "a lost amount": ("no_amount", _without("price")),
    "a number that became a text": (
        "retyped_field",
        _change(score=lambda line: f"{line['score']} points"),
    ),
    "a renamed event type": (
        "lost_type",
        _change(e=lambda line: line["e"].replace("win", "win2")),
    ),
    "a renamed type of purchases": (
        "lost_type",
        _change(e=lambda line: line["e"].replace("buy", "order")),
    ),
    "test users with id 0": ("placeholder_user", _every(50, _change(u=lambda _: "0"))),
    "test users without an id": ("quarantine", _every(50, _change(u=lambda _: "null"))),
    "a test user with a tenth of the lines": (
        "busiest_user",
        _every(5, _change(u=lambda _: "robot7")),
    ),
    "half of the lines": ("few_lines", lambda lines: lines[::2]),
    "the evening is missing": ("few_lines", lambda lines: lines[: LINES // 2]),
    "times as seconds": ("time_format", _epoch(1)),
    "times as milliseconds": ("time_format", _epoch(1000)),
    "swapped columns": (
        "swapped_fields",
        _change(u=lambda line: line["e"], e=lambda line: line["u"]),
    ),
    "the amount in the column of the currency": (
        "quarantine",
        _change(price=lambda line: line["money"], money=lambda line: line["price"]),
    ),
    "no currency": ("quarantine", _change(money=lambda _: None)),
    "one user with most of the spend": ("largest_payer", _change(u=_one_payer)),
    "a purchase that is a test": (
        "largest_purchase",
        _every(LINES, _change(e=lambda _: "buy", price=lambda _: 9999.0, money=lambda _: "USD")),
    ),
    "lines that are written twice": ("repeated_lines", lambda lines: lines + lines[::10]),
}
"""For each fault, the code of the diagnostic that has to name it, and the change."""


def examine_lines(lines: list[Line], game: Game, folder: Path) -> list[Diagnostic]:
    """Diagnose a day of lines, compared with a clean day a week before."""
    write = WRITERS[game.logs.format]
    write(lines, folder / "lines")
    return examine_files([folder / "lines"], game, folder)


def examine_files(paths: list[Path], game: Game, folder: Path) -> list[Diagnostic]:
    """Diagnose a day of files, compared with a clean day a week before."""
    WRITERS[game.logs.format](clean_lines(BEFORE), folder / "before")
    before = count_files(BEFORE, [folder / "before"], game, folder)
    day = count_files(DAY, paths, game, folder)
    alone = diagnose_days([day], game, describe_sources(game))
    return [*alone, *compare(day, before, game)]


def count_files(day: dt.date, paths: list[Path], game: Game, folder: Path) -> DayLogs:
    size = sum(path.stat().st_size for path in paths)
    files = [RawFile(day, path.name, path) for path in paths]
    return count_day(DayFiles(day, "lake", len(files), size, 0, files), game, folder, 500)


def bad(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    return [it for it in diagnostics if it.severity != "info"]
