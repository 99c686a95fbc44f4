"""Game files as they are guessed from folders of logs."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ds_assets.game import Csv, load_game
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.onboarding.columns import tabulate
from ds_assets.onboarding.fields import Lines
from ds_assets.onboarding.game_text import write_game_text
from ds_assets.onboarding.guessing import GuessedGame, Source
from ds_assets.onboarding.kinds import Kind
from ds_assets.onboarding.looking import Look, look_at
from ds_assets.onboarding.samples import FileFormat
from ds_assets.path_patterns import PathPattern
from ds_assets_tests.exports import Line

TODAY = dt.date(2026, 3, 1)
PATTERN = PathPattern("dt=%Y-%m-%d")


def open_folder(folder: Path) -> FolderLogSource:
    return FolderLogSource(folder, PATTERN)


def look(folder: Path) -> Look:
    return look_at(open_folder(folder), str(folder), "A game")


def guess(source: Source, **given: Any) -> GuessedGame:
    return GuessedGame(source, given, TODAY)


def write(game: GuessedGame, path: Path) -> dict[str, Any]:
    """The keys of the game file that is written, which is valid."""
    export = game.export.name if game.export else None
    path.write_text(write_game_text("A game", game.guesses(), export))
    load_game(path)
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def guess_folder(folder: Path) -> dict[str, Any]:
    return write(guess(look(folder).source), folder.parent / "game.yaml")


def value_at(game: Mapping[str, Any], key: str) -> Any:
    value: Any = game
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def make_lines(lines: Sequence[Line], **form: str) -> Lines:
    """A sample of lines whose files have no days."""
    table = tabulate(lines)
    days = pd.Series([None] * len(table), dtype=object, index=table.index)
    return Lines(table, days, Csv(**form))  # type: ignore[arg-type]


def make_source(lines: Sequence[Line]) -> Source:
    return Source("A game", None, (Kind(FileFormat("jsonl"), make_lines(lines)),))


def play(count: int = 40, **more: Any) -> list[Line]:
    """Lines of ten users; of values that are functions each line has that of its number."""
    return [
        {
            "user_id": f"u{number % 10}",
            "time": f"2026-02-{1 + number % 9:02}T10:{number % 60:02}:00Z",
            "type": ("login", "play", "buy")[number % 3],
            **{name: it(number) if callable(it) else it for name, it in more.items()},
        }
        for number in range(count)
    ]


def put(path: Path, lines: Sequence[Line]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
