"""What the days of each asset are made from."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.features import arrival_days
from ds_assets.core.lineage import Reads, lineage_of
from ds_assets_tests.core.factories import FIRST_DAY, make_game

GAME = make_game(
    horizons={"churn": 2, "payment": 4},
    targets={"idle": {"inactive": True, "horizon": 3}},
)
DELIVERIES = {"rds_results", "prediction_cache"}


def day(number: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(days=number)


def days(*numbers: int) -> list[dt.date]:
    return [day(number) for number in numbers]


def outcomes_read(*stored: int, **game: object) -> list[dt.date]:
    """Days of activity that the outcomes of day 0 are made from."""
    lineage = lineage_of(make_game(horizons={"churn": 2, "payment": 4}, **game))
    *_, activity = lineage["prediction_outcomes"].reads
    assert activity.asset == "user_activity"
    return activity.days(day(0), days(*stored))


def test_every_asset_comes_after_those_that_it_reads() -> None:
    before: set[str] = set()
    for asset, lineage in lineage_of(GAME).items():
        assert {reads.asset for reads in lineage.reads} <= {*before, asset}
        before.add(asset)


def test_an_asset_reads_only_earlier_days_of_itself() -> None:
    for asset, lineage in lineage_of(GAME).items():
        assert all(reads.latest >= 1 for reads in lineage.reads if reads.asset == asset)


def test_every_asset_but_the_first_and_the_deliveries_stores_something() -> None:
    stores = {name for name, it in lineage_of(GAME).items() if it.tables or it.models}
    assert set(lineage_of(GAME)) - stores == {"raw_logs", *DELIVERIES}


def test_predictions_are_made_from_the_model_of_each_target() -> None:
    read = {reads.asset for reads in lineage_of(GAME)["predictions"].reads}
    assert {"churn_model", "payment_model", "idle_model"} < read


def test_features_are_made_from_the_arrival_days_that_they_can_see() -> None:
    activity, _ = lineage_of(GAME)["user_features"].reads
    first, last = arrival_days(day(200), GAME)
    read = activity.days(day(200), days(*range(400)))
    assert (read[0], read[-1]) == (first, last)


@given(
    back=st.integers(0, 9), length=st.integers(0, 9), stored=st.sets(st.integers(0, 40), max_size=9)
)
def test_days_that_are_read_are_stored_within_the_range_and_ascending(
    back: int, length: int, stored: set[int]
) -> None:
    read = Reads("user_activity", back + length, back).days(day(20), days(*stored))
    assert read == days(*sorted(stored & set(range(20 - back - length, 20 - back + 1))))


def test_outcomes_read_the_windows_that_are_complete_and_nothing_after_them() -> None:
    assert outcomes_read() == []
    assert outcomes_read(0, 1) == []
    assert outcomes_read(1, 2) == days(1, 2)
    assert outcomes_read(1, 2, 3) == days(1, 2)
    assert outcomes_read(1, 2, 3, 4, 5) == days(1, 2, 3, 4)


@pytest.mark.parametrize("missing", [1, 2])
def test_a_window_with_a_hole_is_not_read(missing: int) -> None:
    assert outcomes_read(*{1, 2} - {missing}, 3, 4) == []


def test_a_window_does_not_wait_for_a_closed_day_and_is_longer_by_it() -> None:
    assert outcomes_read(1, closed_days=[str(day(2))]) == []
    assert outcomes_read(1, 3, closed_days=[str(day(2))]) == days(1, 3)
    assert outcomes_read(1, 2, 3, closed_days=[str(day(2))]) == days(1, 2, 3)
    assert outcomes_read(0, 1, 2, 3, closed_days=[str(day(1))]) == days(1, 2, 3)


def test_features_reach_back_further_over_closed_days() -> None:
    game = make_game(closed_days=days(130, 150))
    activity, _ = lineage_of(game)["user_features"].reads
    read = activity.days(day(200), days(*range(400)))
    assert (read[0], read[-1]) == arrival_days(day(200), game)
    assert len(read) == game.lookback_days + 3
    assert activity.closed_days_in(day(200), read) == days(130, 150)
    assert activity.offsets == (game.lookback_days + 2, 0)


def test_a_closed_day_is_an_input_of_the_outcomes_whose_window_holds_it() -> None:
    lineage = lineage_of(make_game(horizons={"churn": 2, "payment": 4}, closed_days=days(2, 9)))
    *_, activity = lineage["prediction_outcomes"].reads
    stored = days(1, 3, 4, 5, 6)
    assert activity.closed_days_in(day(0), stored) == days(2)
    assert activity.closed_days_in(day(3), stored) == []
    assert activity.offsets == (-1, -5)
