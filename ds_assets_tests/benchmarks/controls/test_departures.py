import datetime as dt

import numpy as np
import pandas as pd
import pytest

from benchmarks.controls.departures import Departures, find_departures
from benchmarks.controls.histories import Calendar, Histories, days_since_1970
from ds_assets_tests.core.factories import FIRST_DAY, make_game

LAST = FIRST_DAY + dt.timedelta(60)


def histories_of(*active: set[int]) -> Histories:
    """Users with the numbers of the days on which they were active."""
    pairs = [(user, number) for user, days in enumerate(active) for number in sorted(days)]
    user, number = np.array(pairs).T
    date = days_since_1970(FIRST_DAY) + number
    rows = pd.DataFrame(
        {"user": user, "arrival": date, "date": date, "open": date, "activities": 1.0}
    )
    names = np.array([f"u{number}" for number in range(len(active))])
    return Histories(names, rows, ["activities"], [], [], Calendar(()), make_game(attributes={}))


def departures_of(*active: set[int], until: dt.date = LAST) -> Departures:
    users = np.arange(len(active))
    return find_departures(
        histories_of(*active), users, FIRST_DAY + dt.timedelta(20), horizon=10, until=until
    )


def test_users_are_followed_to_their_last_active_day_before_the_check_that_misses_them() -> None:
    stays = set(range(0, 61, 3))
    departures = departures_of({19}, {19, 25, 29}, {19, 31}, stays)
    assert departures.has_left.tolist() == [True, True, True, False]
    assert departures.days.tolist() == [0, 9, 0, 28]
    assert departures.followed == 28


def test_a_pause_that_is_over_before_a_check_is_counted() -> None:
    stays = set(range(0, 61, 3))
    pauses = stays - set(range(22, 34))  # from day 21 to day 36; the check on day 27 finds day 36
    departures = departures_of(stays, pauses)
    assert departures.has_left.tolist() == [False, False]
    assert departures.in_first_pause == 0.5


def test_logs_that_arrived_later_are_not_read() -> None:
    until = FIRST_DAY + dt.timedelta(30)
    assert departures_of({19, 25, 40}, until=until).days.tolist() == [0]


def test_a_day_whose_horizon_is_not_over_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing after 2024-01-21 has matured on 2024-01-30"):
        departures_of({19}, until=FIRST_DAY + dt.timedelta(29))
