"""The simulated games of benchmarks."""

import datetime as dt

import pytest

from benchmarks.subjects.simulate_game import LATEST_END, make_options
from ds_assets.simulate import SimulationOptions


@pytest.mark.parametrize(
    ("days", "start"),
    [(60, SimulationOptions.start), (365, LATEST_END - dt.timedelta(days=364))],
)
def test_all_days_of_a_game_have_ended_however_many_it_has(days: int, start: dt.date) -> None:
    options = make_options(10, days)
    assert (options.days, options.start) == (days, start)
    assert options.start + dt.timedelta(days=days - 1) <= LATEST_END
