"""Which days are missing in the windows of features, and which of them distort predictions."""

import datetime as dt

import pytest

from ds_assets.closed_days import ClosedDays
from ds_assets.core.window_days import (
    count_window_days,
    find_distorting_days,
    find_missing_active_days,
)
from ds_assets_tests.core.factories import FIRST_DAY, make_game

GAME = make_game(windows=[1, 3, 7], active_days=5)


def day(number: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(days=number)


def days(*numbers: int) -> list[dt.date]:
    return [day(number) for number in numbers]


def described(number: int, *stored: int, **changes: object) -> dict[int, str]:
    game = GAME.model_copy(update=changes)
    return {n: str(it) for n, it in count_window_days(day(number), days(*stored), game).items()}


def test_each_window_says_how_many_of_its_days_are_stored() -> None:
    assert described(20, 20, 19, 17, 16, 14) == {1: "1 of 1", 3: "2 of 3", 7: "5 of 7"}


def test_days_before_the_first_of_the_game_are_not_expected() -> None:
    assert described(1, 0, 1) == {1: "1 of 1", 3: "2 of 2", 7: "2 of 2"}


def test_closed_days_are_not_expected() -> None:
    closed = frozenset(days(18, 19))
    assert described(20, 20, 17, 16, closed_days=closed) == {1: "1 of 1", 3: "3 of 3", 7: "3 of 7"}


def test_the_missing_days_are_those_in_which_a_user_can_be_active() -> None:
    assert find_missing_active_days(day(20), days(20, 18, 16, 14), GAME) == days(17, 19)
    closed = GAME.model_copy(update={"closed_days": ClosedDays(frozenset(days(17, 19)))})
    assert find_missing_active_days(day(20), days(20, 18, 16, 14), closed) == days(15)


@pytest.mark.parametrize(
    ("missing", "distorting"),
    [((), ()), ((19,), ()), ((17, 16), ()), ((18, 17), (17, 18)), ((19, 18, 12), (18, 19))],
)
def test_two_of_the_three_days_before_are_too_many(
    missing: tuple[int, ...], distorting: tuple[int, ...]
) -> None:
    stored = days(*{*range(21)} - {*missing})
    assert find_distorting_days(day(20), stored, GAME) == days(*distorting)


def test_closed_days_do_not_distort_but_reach_back_further() -> None:
    closed = GAME.model_copy(update={"closed_days": ClosedDays(frozenset(days(18, 19)))})
    assert find_distorting_days(day(20), days(20, 17, 16, 15), closed) == []
    assert find_distorting_days(day(20), days(20, 17), closed) == days(15, 16)
