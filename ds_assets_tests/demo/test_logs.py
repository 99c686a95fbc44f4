import datetime as dt
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.day_ranges import list_days
from ds_assets.demo.home import EARLIEST
from ds_assets.demo.logs import DemoLogs, ShopLogs, SimulatedLogs, set_keys
from ds_assets.demo.source import GAME_FILE
from ds_assets.game import Game, load_game

YEAR_BEGINS, YEAR_ENDS = dt.date(2017, 1, 1), dt.date(2017, 12, 31)
LOGS: list[DemoLogs] = [ShopLogs(), SimulatedLogs()]
LAST_DAYS = st.dates(EARLIEST, dt.date(2090, 1, 1))


def read_game(logs: DemoLogs, first: dt.date, last: dt.date) -> Game:
    text = set_keys(logs.game_file(first), {"last_day": str(last)})
    return Game.model_validate(yaml.safe_load(text))


@pytest.mark.parametrize("logs", LOGS)
@given(last=LAST_DAYS)
def test_logs_of_any_last_day_reach_it_and_their_game_file_has_their_days(
    logs: DemoLogs, last: dt.date
) -> None:
    first = logs.choose_first_day(last)
    assert first < last <= logs.find_end(first)
    game = read_game(logs, first, last)
    assert (game.first_day, game.last_day) == (first, last)
    assert (game.name, game.time_zone) == (logs.game_name, logs.time_zone)


@given(last=LAST_DAYS)
def test_the_shop_is_shifted_by_whole_weeks_and_is_open_on_its_last_day(last: dt.date) -> None:
    logs = ShopLogs()
    first = logs.choose_first_day(last)
    shift = first - YEAR_BEGINS
    assert shift.days % 7 == 0
    assert last - first > dt.timedelta(days=350)
    game = read_game(logs, first, last)
    assert set(game.closed_days.dates) == {dt.date(2017, 12, 25) + shift}
    assert last not in game.closed_days


def test_a_shop_that_ends_with_its_year_keeps_its_dates_and_its_game_file() -> None:
    logs = ShopLogs()
    assert logs.choose_first_day(YEAR_ENDS) == YEAR_BEGINS
    assert read_game(logs, YEAR_BEGINS, YEAR_ENDS) == load_game(GAME_FILE)


@pytest.mark.slow
def test_a_simulated_day_is_the_same_however_many_days_follow(tmp_path: Path) -> None:
    class Small(SimulatedLogs):
        users = 50

    first, sources = dt.date(2026, 3, 1), [tmp_path / "shorter", tmp_path / "longer"]
    Small().write(tmp_path, sources[1], (first, first), lambda _: None)
    times = {it: it.stat().st_mtime_ns for it in sources[1].rglob("*.gz")}
    assert len(times) == 1
    days: list[int] = []
    for source, count in zip(sources, (3, 5), strict=True):
        last = first + dt.timedelta(days=count - 1)
        Small().write(tmp_path, source, (first, last), days.append)
    assert days == [1, 2, 3, 1, 2, 3, 4, 5]
    shorter, longer = ({it.relative_to(at): it for it in at.rglob("*.gz")} for at in sources)
    assert {it.parent.name for it in longer} == {
        f"dt={day}" for day in list_days(first, first + dt.timedelta(days=4))
    }
    assert all(longer[name].read_bytes() == it.read_bytes() for name, it in shorter.items())
    assert len(list((tmp_path / "truth").iterdir())) == 5
    assert {it: it.stat().st_mtime_ns for it in times} == times, "what has not changed stays"


def test_keys_are_set_and_removed_with_comments_kept() -> None:
    text = "# a: 1\na: 1   # first\nb: 2\nc: {a: 3}\n"
    changed = set_keys(text, {"a": "2", "b": None})
    assert changed == "# a: 1\na: 2   # first\nc: {a: 3}\n"
