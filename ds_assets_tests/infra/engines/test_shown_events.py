"""Events which say that an offer was shown, from files of every format."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ds_assets.game import Game
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.infra.engines.shown_events import read_shown_events
from ds_assets_tests.infra.engines.lines import LEAST, START, WRITERS, make_game

BEFORE = START - dt.timedelta(days=1)


def shown(lines: list[dict[str, Any]], game: Game, folder: Path) -> list[tuple[Any, ...]]:
    path = folder / "raw"
    WRITERS[game.logs.format]([{**LEAST, "p": "", **line} for line in lines], path)
    rows = read_shown_events([RawFile(START, "raw", path)], game, folder / "spilled")
    return [tuple(row.values()) for row in rows.to_pylist()]


def promoted(file_format: str, **changes: Any) -> Game:
    events = {"promotion_shown": ["offer", "banner"]}
    return make_game(
        file_format,
        **{"fields": {"promotion": "p"}, "events": events, "first_day": BEFORE, **changes},
    )


@pytest.mark.parametrize("file_format", WRITERS)
def test_each_offer_of_a_user_and_day_is_read_once(file_format: str, tmp_path: Path) -> None:
    lines = [
        {"e": "offer", "p": "bundle"},
        {"e": "banner", "p": "bundle"},
        {"e": "offer", "p": "a1", "t": f"{BEFORE}T10:00:00Z"},
        {"e": "offer", "p": "bundle", "u": "b"},
        {"e": "offer"},
        {"e": "play", "p": "bundle", "u": "c"},
    ]
    assert shown(lines, promoted(file_format), tmp_path) == [
        ("a", BEFORE, "a1"),
        ("a", START, "bundle"),
        ("b", START, "bundle"),
    ]


def test_days_and_users_are_those_of_the_game_and_invalid_lines_are_left_out(
    tmp_path: Path,
) -> None:
    lines = [
        {"e": "offer", "p": "x", "u": "123.0", "t": f"{BEFORE}T20:00:00Z"},
        {"e": "offer", "p": "x", "u": ""},
        {"e": "offer", "p": "x", "t": "no time"},
    ]
    game = promoted("jsonl", time_zone="Asia/Seoul")
    assert shown(lines, game, tmp_path) == [("123", START, "x")]


def test_no_files_are_no_events(tmp_path: Path) -> None:
    assert read_shown_events([], promoted("parquet"), tmp_path).num_rows == 0
