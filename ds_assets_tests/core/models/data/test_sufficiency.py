"""What is missing for a model, in words and with the day on which it will be there."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ds_assets.core.labels import matured_snapshots
from ds_assets.core.models.data.snapshots import LabelledSnapshot, folds
from ds_assets.core.models.data.sufficiency import (
    MIN_SHUT_WEEKS,
    MIN_VALIDATION_USERS,
    DataShortfall,
    can_validate,
    enough_on,
    find_shortfalls,
    find_shut_weekday,
    has_enough,
    users_of_each_outcome,
)
from ds_assets.core.targets import Target
from ds_assets_tests.core.factories import FIRST_DAY, make_game, make_target

TARGET = make_target()
AS_OF = FIRST_DAY + dt.timedelta(weeks=8)


def weeks(count: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(weeks=count)


def snapshot(
    day: dt.date, leave: int, stay: int = 200, maturity_days: int = 14, prefix: str = ""
) -> LabelledSnapshot:
    """Users, the first of which left."""
    users = pd.Index([f"{prefix}{n:04d}" for n in range(leave + stay)])
    labels = pd.Series(np.arange(leave + stay) < leave, index=users)
    matured = day + dt.timedelta(days=maturity_days)
    return LabelledSnapshot(day, pd.DataFrame({"user_id": users}), labels, matured)


def five(leave: int, stay: int = 200) -> list[LabelledSnapshot]:
    return [snapshot(weeks(n), leave, stay) for n in range(5)]


def test_nothing_is_missing_where_there_is_enough() -> None:
    assert find_shortfalls(TARGET, AS_OF, five(100)) == []
    assert enough_on([]) is None


def test_exactly_enough_is_enough() -> None:
    snapshots = [*five(50, 50)[:4], snapshot(weeks(4), 20, 20)]
    assert find_shortfalls(TARGET, AS_OF, snapshots) == []
    assert has_enough(folds(snapshots)[0])
    fewer = [*snapshots[:4], snapshot(weeks(4), 19, 20)]
    assert find_shortfalls(TARGET, AS_OF, fewer)
    assert not has_enough(folds(fewer)[0])


def test_without_snapshots_history_is_missing_and_its_day_is_known() -> None:
    (lack,) = find_shortfalls(TARGET, FIRST_DAY, [])
    assert lack.words == (
        "0 matured snapshots; the first model needs two: one to train on, and one to validate on "
        "from a day on which the outcomes of the first were known"
    )
    assert lack.enough_on == weeks(4)  # a snapshot, two weeks, another, and two weeks


def test_history_that_should_have_been_there_is_promised_for_tomorrow() -> None:
    late = FIRST_DAY + dt.timedelta(days=300)
    (lack,) = find_shortfalls(TARGET, late, [])
    assert lack.enough_on == late + dt.timedelta(days=1)


def as_known_on(day: dt.date, target: Target) -> list[LabelledSnapshot]:
    """The snapshots of a game whose logs went on without a gap."""
    game = make_game(grace_days=target.grace)
    days = matured_snapshots(day, target.horizon, 12, game)
    return [snapshot(day, 100, maturity_days=target.maturity_days) for day in days]


@given(st.integers(1, 60), st.integers(0, 15), st.integers(0, 150))
@example(14, 0, 27)
@example(7, 0, 13)
def test_with_the_history_that_is_promised_days_are_no_longer_missing(
    horizon: int, grace: int, days: int
) -> None:
    target = make_target(horizon=horizon, grace=grace)
    today = FIRST_DAY + dt.timedelta(days=days)
    shortfalls = find_shortfalls(target, today, as_known_on(today, target))
    promised = enough_on(shortfalls)
    if not shortfalls:
        assert promised is None
        return
    assert promised is not None
    assert promised > today
    assert find_shortfalls(target, promised, as_known_on(promised, target)) == []


@given(st.integers(1, 60), st.integers(0, 15))
def test_a_new_game_is_promised_the_first_day_that_is_possible(horizon: int, grace: int) -> None:
    target = make_target(horizon=horizon, grace=grace)
    promised = enough_on(find_shortfalls(target, FIRST_DAY, []))
    assert promised is not None
    eve = promised - dt.timedelta(days=1)
    assert find_shortfalls(target, eve, as_known_on(eve, target))


@given(st.integers(1, 60), st.integers(0, 15), st.integers(0, 150))
def test_the_promised_day_of_a_new_game_does_not_move(horizon: int, grace: int, days: int) -> None:
    target = make_target(horizon=horizon, grace=grace)
    promised = enough_on(find_shortfalls(target, FIRST_DAY, []))
    today = FIRST_DAY + dt.timedelta(days=days)
    shortfalls = find_shortfalls(target, today, as_known_on(today, target))
    assert not shortfalls or enough_on(shortfalls) == promised


def test_users_who_are_too_few_to_train_on_are_said_with_a_day_at_their_pace() -> None:
    snapshots = [*five(41)[:4], snapshot(weeks(4), 41)]
    (lack,) = find_shortfalls(TARGET, AS_OF, snapshots)
    assert lack.words == (
        "41 users who left in the training snapshots up to 2024-01-15, 50 are needed"
    )
    # 41 in three weeks: nine more within five days
    assert lack.enough_on == AS_OF + dt.timedelta(days=5)


def test_users_who_are_too_few_to_judge_by_are_said_and_nobody_knows_when_more_will_come() -> None:
    (lack,) = find_shortfalls(TARGET, AS_OF, [*five(100)[:4], snapshot(weeks(4), 200, 8)])
    assert lack.words == "8 users who stayed in the validation snapshot 2024-01-29, 20 are needed"
    assert lack.enough_on is None  # a day does not get more users by waiting


def test_everything_that_is_missing_is_told_at_once() -> None:
    shortfalls = find_shortfalls(make_target("payment"), AS_OF, five(10, 15))
    assert [shortfall.words for shortfall in shortfalls] == [
        "10 users who paid in the training snapshots up to 2024-01-15, 50 are needed",
        "15 users who did not pay in the training snapshots up to 2024-01-15, 50 are needed",
        "10 users who paid in the validation snapshot 2024-01-29, 20 are needed",
        "15 users who did not pay in the validation snapshot 2024-01-29, 20 are needed",
    ]
    assert [shortfall.enough_on is None for shortfall in shortfalls] == [False, False, True, True]
    assert enough_on(shortfalls) is None


def test_nobody_can_say_when_what_never_happened_will_happen() -> None:
    shortfalls = find_shortfalls(TARGET, AS_OF, five(0, 30))
    assert shortfalls[0].words.startswith("0 users who left in the training snapshots")
    assert shortfalls[0].enough_on is None
    assert shortfalls[1].enough_on is not None
    assert enough_on(shortfalls) is None


def test_a_day_that_is_years_away_is_not_foreseen() -> None:
    # one in ninety weeks: the next forty-nine take a lifetime
    snapshots = [snapshot(weeks(n), 1) for n in range(92)]
    shortfalls = find_shortfalls(TARGET, weeks(100), snapshots)
    assert [shortfall.enough_on for shortfall in shortfalls] == [None, None]
    assert enough_on(shortfalls) is None


def test_the_latest_of_all_days_is_the_day() -> None:
    assert enough_on([DataShortfall("a", weeks(1)), DataShortfall("b", weeks(3))]) == weeks(3)
    assert enough_on([DataShortfall("a", weeks(1)), DataShortfall("b", None)]) is None


def test_users_are_counted_and_not_rows() -> None:
    same = [snapshot(weeks(n), 3, 5) for n in range(4)]
    assert users_of_each_outcome(same) == (3, 5)
    others = [snapshot(weeks(n), 3, 5, prefix=str(n)) for n in range(4)]
    assert users_of_each_outcome(others) == (12, 20)


def test_a_user_may_have_been_of_either_outcome() -> None:
    assert users_of_each_outcome([snapshot(weeks(0), 3, 0), snapshot(weeks(1), 0, 3)]) == (3, 3)


def test_nobody_is_of_no_outcome() -> None:
    assert users_of_each_outcome([]) == (0, 0)
    assert users_of_each_outcome([snapshot(FIRST_DAY, 0, 0)]) == (0, 0)


@pytest.mark.parametrize("leave", [MIN_VALIDATION_USERS - 1, MIN_VALIDATION_USERS])
def test_a_snapshot_can_judge_with_enough_users_of_each_outcome(leave: int) -> None:
    can = leave == MIN_VALIDATION_USERS
    assert can_validate(snapshot(FIRST_DAY, leave, 100)) is can
    assert can_validate(snapshot(FIRST_DAY, 100, leave)) is can


SATURDAYS = [dt.date(2026, 5, 2) + dt.timedelta(weeks=week) for week in range(5)]


def test_a_weekday_that_is_missing_in_every_week_is_named() -> None:
    assert find_shut_weekday(SATURDAYS) == "Saturday"
    assert find_shut_weekday(SATURDAYS[:MIN_SHUT_WEEKS]) == "Saturday"


@pytest.mark.parametrize(
    "missing",
    [
        [],
        SATURDAYS[: MIN_SHUT_WEEKS - 1],
        SATURDAYS[:2] + SATURDAYS[3:],
        [*SATURDAYS, SATURDAYS[0] + dt.timedelta(days=1)],
    ],
)
def test_days_that_are_missing_otherwise_have_no_weekday(missing: list[dt.date]) -> None:
    assert find_shut_weekday(missing) is None
