import datetime as dt
import re
from pathlib import Path

import pytest

from ds_assets.demo import home as demo_home
from ds_assets.demo.home import find_yesterday, prepare_home
from ds_assets.demo.logs import DemoLogs, ShopLogs, SimulatedLogs
from ds_assets.errors import InputError
from ds_assets.game import load_game

WEDNESDAY = dt.date(2026, 3, 4)
"""The shop's year ends on the Sunday after it."""
LOGS: list[DemoLogs] = [ShopLogs(), SimulatedLogs()]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(demo_home, "find_yesterday", lambda _: WEDNESDAY)
    return tmp_path / "home"


def pass_days(days: int, monkeypatch: pytest.MonkeyPatch) -> dt.date:
    later = WEDNESDAY + dt.timedelta(days=days)
    monkeypatch.setattr(demo_home, "find_yesterday", lambda _: later)
    return later


def write_results(home: Path) -> Path:
    """Write a file that an earlier demo has left."""
    file = home / "lake" / "clusters.json"
    file.parent.mkdir()
    file.touch()
    (home / "results.sqlite-wal").touch()
    return file


@pytest.mark.parametrize("logs", LOGS)
def test_a_new_home_has_logs_up_to_yesterday_of_a_game_that_is_live(
    logs: DemoLogs, home: Path
) -> None:
    first, last = prepare_home(home, logs, None)
    game = load_game(home / "game.yaml")
    assert last == WEDNESDAY
    assert (game.first_day, game.last_day) == (first, None)


@pytest.mark.parametrize("logs", LOGS)
def test_a_game_that_has_ended_has_its_last_day_in_its_file(logs: DemoLogs, home: Path) -> None:
    ended = dt.date(2017, 12, 31)
    first, last = prepare_home(home, logs, ended)
    game = load_game(home / "game.yaml")
    assert (game.first_day, game.last_day) == (first, last)
    assert last == ended


@pytest.mark.parametrize("logs", LOGS)
def test_a_later_demo_adds_the_days_that_have_come_since(
    logs: DemoLogs, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = prepare_home(home, logs, None)
    kept = write_results(home)
    later = pass_days(4, monkeypatch)
    assert prepare_home(home, logs, None) == (first, later)
    assert kept.exists()


@pytest.mark.parametrize("logs", LOGS)
def test_a_demo_whose_logs_end_before_yesterday_begins_again(
    logs: DemoLogs, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = prepare_home(home, logs, None)
    end = logs.find_end(first)
    removed, foreign = write_results(home), home / "notes.txt"
    foreign.touch()
    later = pass_days((end - WEDNESDAY).days + 1, monkeypatch)
    again = prepare_home(home, logs, None)
    assert again[0] > first
    assert again[1] == later
    assert not removed.exists()
    assert {it.name for it in home.iterdir()} == {"game.yaml", "notes.txt"}


def test_a_demo_of_the_past_does_not_mix_with_one_that_is_live(home: Path) -> None:
    prepare_home(home, ShopLogs(), None)
    removed = write_results(home)
    prepare_home(home, ShopLogs(), WEDNESDAY)
    assert not removed.exists()
    kept = write_results(home)
    prepare_home(home, ShopLogs(), WEDNESDAY)
    assert kept.exists()


def test_the_home_of_another_game_is_left_alone(home: Path) -> None:
    prepare_home(home, SimulatedLogs(), None)
    kept, game = write_results(home), (home / "game.yaml").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"game 'Simulated game'.*choose another --home"):
        prepare_home(home, ShopLogs(), None)
    assert kept.exists()
    assert (home / "game.yaml").read_text(encoding="utf-8") == game


@pytest.mark.parametrize("day", [dt.date(1, 1, 1), WEDNESDAY + dt.timedelta(days=1)])
def test_a_last_day_that_is_not_over_is_refused(day: dt.date, home: Path) -> None:
    expected = re.escape(f"found {day}; accepted: 2002-01-01 to {WEDNESDAY}")
    with pytest.raises(InputError, match=expected):
        prepare_home(home, ShopLogs(), day)
    assert not home.exists()


def test_a_home_that_is_a_file_is_refused(home: Path) -> None:
    home.touch()
    with pytest.raises(InputError, match="the home of the demo cannot be written"):
        prepare_home(home, ShopLogs(), None)


def test_yesterday_is_that_of_the_time_zone() -> None:
    days = {find_yesterday(zone) for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago")}
    assert len(days) == 2
