"""The days behind a single day: its snapshots, and a chain of days over which ids are passed on."""

import datetime as dt
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.lineage import LONGEST_PAUSE
from ds_assets.core.snapshot_days import find_chain_days, list_snapshots
from ds_assets.core.targets import targets_of
from ds_assets_tests.core.factories import make_game

START = dt.date(2026, 1, 1)
DAY = dt.date(2026, 9, 30)


@given(st.sets(st.integers(1, 100), min_size=1))
def test_no_pause_of_the_chain_is_longer_than_clusters_continue_over(ages: set[int]) -> None:
    snapshots = [DAY - dt.timedelta(days=age) for age in ages]
    chain = find_chain_days(DAY, snapshots)
    days = [max(snapshots), *chain, DAY]
    assert days == sorted(set(days))
    assert all((after - before).days <= LONGEST_PAUSE for before, after in pairwise(days))
    # The fewest days that do.
    assert len(chain) == (min(ages) - 1) // LONGEST_PAUSE


def test_without_a_snapshot_there_is_nothing_to_continue() -> None:
    assert find_chain_days(DAY, []) == []


@given(st.integers(1, 60), st.integers(0, 5))
def test_snapshots_are_matured_weekly_days_of_the_game(horizon: int, grace: int) -> None:
    horizons = {"churn": horizon, "payment": horizon}
    game = make_game(first_day=START, horizons=horizons, grace_days=grace)
    for target in targets_of(game).values():
        snapshots = list_snapshots(target, DAY, game)
        assert snapshots == sorted(snapshots)
        assert all(START <= it <= DAY - dt.timedelta(days=horizon + grace) for it in snapshots)
        steps = {(after - before).days for before, after in pairwise(snapshots)}
        assert steps <= {target.step}
