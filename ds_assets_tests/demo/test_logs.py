import datetime as dt
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.day_ranges import list_days
from ds_assets.demo.home import EARLIEST
from ds_assets.demo.logs import DemoLogs, ShopLogs, SimulatedLogs, set_keys
from ds_assets.demo.promotions import KINDS
from ds_assets.demo.source import GAME_FILE
from ds_assets.game import Game, load_game
from ds_assets.simulate import OfferedUsers, OfferKind
from ds_assets.simulate.lines import user_ids

YEAR_BEGINS, YEAR_ENDS = dt.date(2017, 1, 1), dt.date(2017, 12, 31)
LOGS: list[DemoLogs] = [ShopLogs(), SimulatedLogs()]
LAST_DAYS = st.dates(EARLIEST, dt.date(2090, 1, 1))


def read_game(logs: DemoLogs, first: dt.date, last: dt.date) -> Game:
    text = set_keys(logs.game_file(first), {"last_day": str(last)})
    return Game.model_validate(yaml.safe_load(text))


@pytest.mark.slow
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


@pytest.mark.slow
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


class Small(SimulatedLogs):
    users, days, promoted_days = 50, 3, 2


FIRST = dt.date(2026, 3, 1)


def write(home: Path, source: Path, days: int, offered: OfferedUsers) -> list[dt.date]:
    """Write days of a small simulated game, whose users have the same offers on each day."""
    logs = Small()
    stages = logs.find_stages((FIRST, FIRST + dt.timedelta(days=days - 1)))
    return list(logs.write(home, source, stages, lambda _: offered))


@pytest.mark.slow
def test_a_simulated_day_is_the_same_however_many_days_follow(tmp_path: Path) -> None:
    sources = [tmp_path / "shorter", tmp_path / "longer"]
    write(tmp_path, sources[1], 1, {})
    times = {it: it.stat().st_mtime_ns for it in sources[1].rglob("*.gz")}
    assert len(times) == 1
    for source, count in zip(sources, (3, 5), strict=True):
        days = list_days(FIRST, FIRST + dt.timedelta(days=count - 1))
        assert write(tmp_path, source, count, {}) == days
    shorter, longer = ({it.relative_to(at): it for it in at.rglob("*.gz")} for at in sources)
    assert {it.parent.name for it in longer} == {
        f"dt={day}" for day in list_days(FIRST, FIRST + dt.timedelta(days=4))
    }
    assert all(longer[name].read_bytes() == it.read_bytes() for name, it in shorter.items())
    assert len(list((tmp_path / "truth").iterdir())) == 5
    assert {it: it.stat().st_mtime_ns for it in times} == times, "what has not changed stays"


def test_a_simulated_game_is_written_day_by_day_from_its_first_assignments_on() -> None:
    days = list_days(FIRST, FIRST + dt.timedelta(days=3))
    assert Small().find_stages((FIRST, days[0])) == [(FIRST, FIRST)]
    assert Small().find_stages((FIRST, days[3])) == [
        (FIRST, days[1]),
        (days[2], days[2]),
        (days[3], days[3]),
    ]
    promotions = read_game(Small(), FIRST, days[3]).promotions
    assert {it.first_day for it in promotions.values()} == {days[1]}
    assert {it.target for it in promotions.values()} == set(KINDS)


def test_the_shop_is_written_at_once() -> None:
    year = (YEAR_BEGINS, YEAR_ENDS)
    assert ShopLogs().find_stages(year) == [year]


def test_offers_are_requested_for_when_the_logs_of_the_day_before_are_written(
    tmp_path: Path,
) -> None:
    source, stages = tmp_path / "source", Small().find_stages((FIRST, FIRST + dt.timedelta(3)))
    requested: list[dt.date] = []

    def find_offered(day: dt.date) -> OfferedUsers:
        assert (source / f"dt={day - dt.timedelta(days=1)}").is_dir()
        assert not (source / f"dt={day}").exists()
        requested.append(day)
        return {}

    for day in Small().write(tmp_path, source, stages, find_offered):
        is_last = day in [end for _, end in stages]
        assert (source / f"dt={day}").exists() == is_last
        assert all(it <= day for it in requested), "a day is simulated only when it is wanted"
    assert requested == [begin for begin, _ in stages[1:]]


def test_simulated_users_respond_to_offers(tmp_path: Path) -> None:
    users = user_ids(50).to_pylist()
    for name, offered in {"without": {}, "with": dict.fromkeys(OfferKind, users)}.items():
        write(tmp_path, tmp_path / name, 6, offered)
    same = [
        (tmp_path / "with" / path.relative_to(tmp_path / "without")).read_bytes()
        == path.read_bytes()
        for path in sorted((tmp_path / "without").rglob("*.gz"))
    ]
    assert same[:2] == [True, True]
    assert not all(same)


def test_keys_are_set_and_removed_with_comments_kept() -> None:
    text = "# a: 1\na: 1   # first\nb: 2\nc: {a: 3}\n"
    changed = set_keys(text, {"a": "2", "b": None})
    assert changed == "# a: 1\na: 2   # first\nc: {a: 3}\n"
