import pytest

from ds_assets.core.events import events_table
from ds_assets.core.game_tables import user_activity_table
from ds_assets.core.local_clock import AFTER_SET_BACK, set_back_months
from ds_assets_tests.core.factories import make_game


@pytest.mark.parametrize(
    ("zone", "months"),
    [
        ("UTC", set()),
        ("Asia/Seoul", set()),
        ("America/New_York", {10, 11}),
        ("Europe/Berlin", {10}),
        ("Australia/Sydney", {3, 4}),
    ],
)
def test_the_months_are_those_in_which_the_zone_sets_its_clock_back(
    zone: str, months: set[int]
) -> None:
    assert set_back_months(zone) == months


@pytest.mark.parametrize(("zone", "is_set_back"), [("Asia/Seoul", False), ("Europe/Berlin", True)])
def test_only_games_whose_clock_is_set_back_have_a_column_for_it(
    zone: str, is_set_back: bool
) -> None:
    game = make_game(time_zone=zone)
    for table in (events_table(game), user_activity_table(game)):
        assert (AFTER_SET_BACK in table.names) is is_set_back
