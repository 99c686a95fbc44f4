"""When users left, read off the labels of later snapshots, is what a look at every day shows."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.data.departures import (
    can_follow,
    find_step_days,
    follow_users,
)
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets_tests.core.factories import FIRST_DAY, make_target

TARGET = make_target(active_days=28, step=7)
DAYS = 84


def snapshot_of(week: int, **labels: bool) -> LabelledSnapshot:
    day = FIRST_DAY + dt.timedelta(weeks=week)
    users = pd.Index(list(labels), dtype=object)
    return LabelledSnapshot(
        day,
        pd.DataFrame({"user_id": users}),
        pd.Series(list(labels.values()), index=users, dtype=bool),
        day + dt.timedelta(days=14),
    )


def steps_of(snapshots: Sequence[LabelledSnapshot]) -> list[list[tuple[int, bool]]]:
    return [
        list(zip(users.steps.tolist(), users.has_left.tolist(), strict=True))
        for users in follow_users(snapshots, TARGET)
    ]


def test_users_are_followed_to_the_first_snapshot_by_which_they_have_left() -> None:
    snapshots = [
        snapshot_of(0, a=True, b=False, c=False),
        snapshot_of(1, b=False, c=True),
        snapshot_of(2, b=False, c=False, d=True),
    ]
    assert steps_of(snapshots) == [
        [(0, True), (2, False), (1, True)],
        [(1, False), (0, True)],
        [(0, False), (0, False), (0, True)],
    ]


def test_users_are_followed_up_to_a_missing_snapshot() -> None:
    snapshots = [snapshot_of(0, a=False), snapshot_of(1, a=False), snapshot_of(3, a=True)]
    assert steps_of(snapshots) == [[(1, False)], [(0, False)], [(0, True)]]


def test_a_step_has_as_many_days_as_the_game_was_open() -> None:
    snapshots = [snapshot_of(0, a=False), snapshot_of(2, a=False)]
    assert find_step_days(snapshots, TARGET) == 7
    closed = frozenset({FIRST_DAY + dt.timedelta(3), FIRST_DAY + dt.timedelta(20)})
    assert find_step_days(snapshots, make_target(closed_days=closed)) == 6.5


@pytest.mark.parametrize(("active_days", "follows"), [(7, True), (6, False)])
def test_users_are_followed_only_if_none_is_missing_who_has_left(
    active_days: int, follows: bool
) -> None:
    assert can_follow(make_target(active_days=active_days, step=7)) is follows


@given(
    st.lists(st.sets(st.integers(0, DAYS - 1), min_size=1), min_size=1, max_size=5),
    st.integers(1, 28),
    st.integers(7, 28),
)
def test_labels_of_snapshots_show_the_first_pause_at_a_snapshot(
    active: list[set[int]], horizon: int, active_days: int
) -> None:
    days = range(0, DAYS - horizon, 7)
    snapshots = [
        snapshot_of(
            now // 7,
            **{
                f"u{user}": not any(now < day <= now + horizon for day in own)
                for user, own in enumerate(active)
                if any(now - active_days < day <= now for day in own)
            },
        )
        for now in days
    ]
    snapshots = [snapshot for snapshot in snapshots if len(snapshot.labels)]
    numbers = [(snapshot.day - FIRST_DAY).days for snapshot in snapshots]
    ends = [
        next((n for n in numbers[place:] if n + 7 not in numbers), numbers[place])
        for place in range(len(numbers))
    ]
    target = make_target(horizon=horizon, active_days=active_days, step=7)
    followed = follow_users(snapshots, target) if snapshots else []
    for snapshot, now, end, users in zip(snapshots, numbers, ends, followed, strict=True):
        for user_id, steps, has_left in zip(snapshot.labels.index, *users, strict=True):
            own = active[int(str(user_id)[1:])]
            pauses = [
                check
                for check in range(now, end + 1, 7)
                if not any(check < day <= check + horizon for day in own)
            ]
            assert has_left == bool(pauses)
            assert now + 7 * steps == (pauses[0] if pauses else end)
    assert all(np.issubdtype(users.steps.dtype, np.integer) for users in followed)
