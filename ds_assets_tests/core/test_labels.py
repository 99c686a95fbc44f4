import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.closed_days import ClosedDays
from ds_assets.core import labels
from ds_assets.core.engine import DataFrame
from ds_assets.core.game_tables import stored_activity_table
from ds_assets.game import Game
from ds_assets.infra.lake.folder import FolderLake
from ds_assets_tests.core.factories import FIRST_DAY, make_game
from ds_assets_tests.core.test_features import (
    GAME,
    SEEDS,
    Described,
    Row,
    World,
    day,
    differences,
    engine,
    make_row,
    many_histories,
    random_histories,
    records,
)

HORIZON = 3
AS_OF = day(9)
PAID = GAME.model_copy(update={"fields": GAME.fields.model_copy(update={"amount": "amount"})})
PATIENT = GAME.model_copy(update={"grace_days": 2})
DAYS = st.integers(-40, 40).map(day)


class Labels(World):
    """A world whose outcomes are compared."""

    def outcomes(
        self, rows: Sequence[Row], snapshots: Sequence[dt.date], as_of: dt.date = AS_OF
    ) -> Described:
        """Outcomes by snapshot and user."""
        self.store(rows)
        outcomes = self.outcomes_of({as_of: snapshots}, HORIZON)
        described = {(row.pop("snapshot"), row.pop("user_id")): row for row in outcomes}
        assert {row.pop("as_of") for row in outcomes} <= {as_of}
        assert len(described) == len(outcomes)
        return described


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Labels:
    return Labels(tmp_path_factory.mktemp("lake"), GAME)


def reference(rows: Sequence[Row], snapshots: Sequence[dt.date], as_of: dt.date) -> Described:
    after: dict[tuple[dt.date, str], list[Row]] = defaultdict(list)
    for row in rows:
        for snapshot in snapshots:
            in_window = row.event_date in {snapshot + dt.timedelta(days=n + 1) for n in range(3)}
            if in_window and not row.arrived > as_of:
                after[snapshot, row.user_id].append(row)
    return {
        key: {
            "active_days": len({row.event_date for row in rows_of_key if row.activities}),
            "purchases": sum(row.purchases for row in rows_of_key),
            "spend": sum(row.spend for row in rows_of_key),
        }
        for key, rows_of_key in after.items()
    }


def outcomes_of(
    activity: DataFrame, snapshots: Mapping[dt.date, Sequence[dt.date]], game: Game
) -> list[dict[str, Any]]:
    """Outcomes of other activity than that of a world."""
    with labels.frame_of_windows(snapshots, HORIZON, game, engine()) as windows:
        return list(records(labels.outcomes(activity, windows, game, (), engine())))


def churned(population: Described, outcomes: Described) -> set[tuple[dt.date, str]]:
    """Who of a population was not there in the label window, by snapshot and user."""
    came_back = {key for key, row in outcomes.items() if row["active_days"] > 0}
    return set(population) - came_back


@many_histories
@given(seed=SEEDS)
def test_outcomes_are_what_was_done_in_the_window_whatever_the_history(
    world: Labels, seed: int
) -> None:
    rows = random_histories(seed)
    snapshots = [day(number) for number in (2, 3, 6)]
    expected = reference(rows, snapshots, AS_OF)
    assert len(expected) > 500
    assert not differences(world.outcomes(rows, snapshots), expected, rows)


def test_the_window_is_the_days_after_the_snapshot_up_to_the_horizon(world: Labels) -> None:
    rows = [make_row("a", number, purchases=1, spend=2.0**number) for number in range(10)]
    outcomes = world.outcomes(rows, [day(2), day(3), day(6)])
    assert outcomes[day(6), "a"] == {"active_days": 3, "purchases": 3, "spend": 2**7 + 2**8 + 2**9}
    assert outcomes[day(2), "a"]["spend"] == 2**3 + 2**4 + 2**5


@pytest.mark.parametrize(("dated", "is_counted"), [(6, False), (7, True), (9, True), (10, False)])
def test_the_boundaries_of_the_window_are_exact(
    world: Labels, dated: int, is_counted: bool
) -> None:
    outcomes = world.outcomes([make_row("a", 9, dated=dated)], [day(2), day(3), day(6)])
    assert ((day(6), "a") in outcomes) is is_counted


def test_what_arrived_after_the_training_day_is_not_seen(world: Labels) -> None:
    rows = [make_row("in time", 9, dated=8), make_row("too late", 10, dated=8)]
    assert set(world.outcomes(rows, [day(2), day(3), day(6)])) == {(day(6), "in time")}


def test_each_training_day_sees_what_had_arrived_by_then(world: Labels) -> None:
    world.store([make_row("in time", 8), make_row("late", 9, dated=8)])
    looks = {day(8): [day(5)], day(9): [day(5), day(6)]}
    outcomes = world.outcomes_of(looks, HORIZON)
    keys = {(row["as_of"], row["snapshot"], row["user_id"]) for row in outcomes}
    assert keys == {
        (day(8), day(5), "in time"),
        *((day(9), snapshot, user) for snapshot in looks[day(9)] for user in ("in time", "late")),
    }


def test_events_that_are_no_activity_do_not_bring_a_user_back(world: Labels) -> None:
    rows = [make_row("a", 6), make_row("a", 8, activities=0, purchases=1, spend=5.0)]
    outcomes = world.outcomes(rows, [day(2), day(3), day(6)])
    assert outcomes[day(6), "a"] == {"active_days": 0, "purchases": 1, "spend": 5.0}
    assert (day(6), "a") in churned(world.describe(rows, [day(6)]), outcomes)


@pytest.mark.parametrize(
    ("rows", "purchases", "spend"),
    [
        ([(7, 1, 5.0, 0)], 1, 5.0),
        ([(7, 1, 5.0, 0), (8, 0, -2.0, 1)], 1, 3.0),
        ([(7, 1, 5.0, 0), (9, 0, -5.0, 1)], 0, 0.0),
        ([(7, 1, 5.0, 0), (10, 0, -5.0, 1)], 1, 5.0),
        ([(7, 0, -5.0, 1)], 0, -5.0),
        ([(7, 1, 0.0, 0)], 1, 0.0),
        ([(7, 1, 0.0, None)], 1, 0.0),
    ],
    ids=[
        "paid",
        "partly taken back",
        "taken back within the horizon",
        "taken back after it",
        "an earlier purchase is taken back",
        "the amount is not known",
        "of an earlier version",
    ],
)
def test_a_purchase_that_is_taken_back_within_the_horizon_is_none(
    rows: list[tuple[int, int, float, int | None]], purchases: int, spend: float
) -> None:
    schema = (
        "dt date, user_id string, event_date date, activities bigint, purchases bigint, "
        "spend double, refunds bigint"
    )
    days = [(day(number), "a", day(number), 1, *counts) for number, *counts in rows]
    activity = engine().session.createDataFrame(days, schema)
    (outcome,) = outcomes_of(activity, {day(20): [day(6)]}, PAID)
    assert (outcome["purchases"], outcome["spend"]) == (purchases, spend)


def test_days_of_an_earlier_version_have_no_refunds_and_can_be_read(tmp_path: Path) -> None:
    world = World(tmp_path, PAID)
    world.store([make_row("a", 7, purchases=1, spend=5.0)])
    table = stored_activity_table(PAID)
    with engine().read([day(7)], table, FolderLake(tmp_path)) as activity:
        assert engine().to_pandas(activity)["refunds"].isna().all()
        (outcome,) = outcomes_of(activity, {AS_OF: [day(6)]}, PAID)
    assert outcome["purchases"] == 1


def test_without_snapshots_there_are_no_outcomes(world: Labels) -> None:
    assert world.outcomes([make_row("a", 6)], []) == {}


@given(
    snapshot=DAYS, horizon=st.integers(1, 30), grace=st.integers(0, 10), spare=st.integers(-30, -1)
)
def test_a_label_is_refused_until_its_horizon_and_the_grace_have_passed(
    snapshot: dt.date, horizon: int, grace: int, spare: int
) -> None:
    game = make_game(grace_days=grace)
    matured = snapshot + dt.timedelta(days=horizon + grace)
    assert labels.matures_on(snapshot, horizon, game) == matured
    as_of = matured + dt.timedelta(days=spare)
    with pytest.raises(ValueError, match=f"{snapshot} have not matured on {as_of}"):
        labels.frame_of_windows({as_of: [snapshot]}, horizon, game, engine())


def test_a_label_is_given_on_the_day_on_which_it_matures(tmp_path: Path) -> None:
    world = World(tmp_path, PATIENT)
    world.store([make_row("a", 5)])
    (outcome,) = world.outcomes_of({day(9): [day(4)]}, 3)
    assert list(outcome) == [
        "as_of",
        "snapshot",
        "user_id",
        "active_days",
        "purchases",
        "spend",
    ]
    with pytest.raises(ValueError, match="horizon is 3 days and the grace 2"):
        world.outcomes_of({day(8): [day(4)]}, 3)


def test_one_snapshot_that_has_not_matured_refuses_them_all_by_name(world: Labels) -> None:
    early = [day(7), day(8)]
    with pytest.raises(ValueError, match=f"labels of {early[0]}, {early[1]} have not"):
        world.outcomes_of({AS_OF: [day(8), day(2), day(7)]}, 3)


@given(as_of=DAYS, horizon=st.integers(1, 30), count=st.integers(0, 8), grace=st.integers(0, 10))
def test_matured_snapshots_are_the_latest_whole_weeks_apart_and_all_matured(
    as_of: dt.date, horizon: int, count: int, grace: int
) -> None:
    game = make_game(grace_days=grace)
    snapshots = labels.matured_snapshots(as_of, horizon, count, game)
    a_day = dt.timedelta(days=1)
    step = dt.timedelta(weeks=labels.weeks_apart(horizon, count, game))
    assert len(snapshots) <= count
    assert all(labels.matures_on(snapshot, horizon, game) <= as_of for snapshot in snapshots)
    assert all(snapshot >= FIRST_DAY for snapshot in snapshots)
    assert all(later - earlier == step for earlier, later in pairwise(snapshots))
    if snapshots:
        assert labels.matures_on(snapshots[-1] + a_day, horizon, game) > as_of
        assert len(snapshots) == count or snapshots[0] - step < FIRST_DAY
    else:
        assert count == 0 or as_of - (horizon + grace) * a_day < FIRST_DAY


@pytest.mark.parametrize(
    ("horizon", "weeks"), [(1, 1), (14, 1), (77, 1), (78, 2), (90, 2), (365, 5)]
)
def test_snapshots_are_a_week_apart_or_as_far_as_a_long_horizon_asks_for(
    horizon: int, weeks: int
) -> None:
    game = make_game(first_day=dt.date(2000, 1, 1))
    snapshots = labels.matured_snapshots(dt.date(2020, 1, 1), horizon, 12, game)
    assert {later - earlier for earlier, later in pairwise(snapshots)} == {
        dt.timedelta(weeks=weeks)
    }
    assert labels.matures_on(snapshots[0], horizon, game) <= snapshots[-1]


def test_the_first_day_of_the_game_can_be_a_snapshot() -> None:
    assert labels.matured_snapshots(day(3), 3, 5, GAME) == [FIRST_DAY]
    assert labels.matured_snapshots(day(2), 3, 5, GAME) == []
    assert labels.matured_snapshots(day(4), 3, 5, PATIENT) == []


@pytest.mark.parametrize("game", [GAME, PATIENT])
def test_who_has_not_had_the_time_to_come_back_is_never_churned(
    tmp_path_factory: pytest.TempPathFactory, game: Game
) -> None:
    world = Labels(tmp_path_factory.mktemp("lake"), game)
    snapshot = labels.matured_snapshots(AS_OF, HORIZON, 1, game)[0]

    @many_histories
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        rows = random_histories(seed)
        population = world.describe(rows, [snapshot])
        left = churned(population, world.outcomes(rows, [snapshot]))
        assert 0 < len(left) < len(population)
        assert (AS_OF - snapshot).days >= HORIZON + game.grace_days
        last = snapshot + dt.timedelta(days=HORIZON)
        returned_ids = {
            row.user_id
            for row in rows
            if row.activities and snapshot < row.event_date <= last and row.arrived <= AS_OF
        }
        assert {user for _, user in left} == {user for _, user in population} - returned_ids

    check()


def test_a_log_that_comes_late_but_within_the_grace_still_counts(
    tmp_path: Path,
) -> None:
    world = Labels(tmp_path, PATIENT)
    rows = [make_row("late", 4), make_row("late", 9, dated=7), make_row("gone", 4)]
    outcomes = world.outcomes(rows, [day(4)])
    assert churned(world.describe(rows, [day(4)]), outcomes) == {(day(4), "gone")}


def test_a_label_needs_each_arrival_day_of_its_window_and_of_the_grace() -> None:
    needed = labels.label_days(day(0), HORIZON, PATIENT)
    assert needed == [day(n) for n in range(1, HORIZON + PATIENT.grace_days + 1)]


@pytest.mark.parametrize(
    ("stored", "grace", "expected"),
    [
        ((1, 2, 3), 0, True),
        ((1, 3), 0, False),
        ((1, 2), 0, False),
        ((1, 2, 3), 1, False),
        ((1, 2, 3, 4), 1, True),
    ],
)
def test_a_day_missing_in_the_window_or_its_grace_does_not_read_as_users_who_left(
    stored: tuple[int, ...], grace: int, expected: bool
) -> None:
    game = make_game(grace_days=grace)
    assert labels.is_matured(day(0), HORIZON, [day(number) for number in stored], game) is expected


def closed_on(*numbers: int, **changes: Any) -> Game:
    closed = frozenset(day(number) for number in numbers)
    return GAME.model_copy(update={"closed_days": ClosedDays(closed), **changes})


def test_a_label_waits_one_day_longer_for_a_closed_day_and_does_not_need_it_stored() -> None:
    assert labels.label_days(day(0), HORIZON, closed_on(2)) == [day(1), day(3), day(4)]
    assert labels.matures_on(day(0), HORIZON, closed_on(2, 4, grace_days=1)) == day(6)


def test_users_who_come_back_after_a_maintenance_as_long_as_the_horizon_have_not_left(
    tmp_path: Path,
) -> None:
    rows = [make_row("back", 3), make_row("back", 8), make_row("gone", 3)]
    for game, left in ((GAME, {"back", "gone"}), (closed_on(4, 5, 6), {"gone"})):
        world = Labels(tmp_path / str(len(left)), game)
        outcomes = world.outcomes(rows, [day(3)])
        assert {user for _, user in churned(world.describe(rows, [day(3)]), outcomes)} == left


def test_what_is_dated_on_a_closed_day_did_happen(tmp_path: Path) -> None:
    outcomes = Labels(tmp_path, closed_on(5)).outcomes([make_row("tester", 5)], [day(4)])
    assert outcomes[day(4), "tester"]["active_days"] == 1


@given(
    as_of=DAYS,
    horizon=st.integers(1, 30),
    count=st.integers(1, 8),
    closed=st.sets(st.integers(-60, 60), max_size=20),
)
def test_with_closed_days_snapshots_are_still_the_latest_that_are_matured(
    as_of: dt.date, horizon: int, count: int, closed: set[int]
) -> None:
    game = closed_on(*closed, first_day=day(-500))
    snapshots = labels.matured_snapshots(as_of, horizon, count, game)
    assert len(snapshots) == count
    assert all(labels.matures_on(snapshot, horizon, game) <= as_of for snapshot in snapshots)
    assert labels.matures_on(snapshots[-1] + dt.timedelta(days=1), horizon, game) > as_of
    if count > 1:  # so that a model can be trained on the first and validated on the last
        assert labels.matures_on(snapshots[0], horizon, game) <= snapshots[-1]


@given(horizon=st.integers(1, 30), closed=st.sets(st.integers(1, 40), max_size=20))
def test_a_label_window_holds_as_many_open_days_as_the_horizon_says(
    horizon: int, closed: set[int]
) -> None:
    game = closed_on(*closed)
    window = labels.label_days(day(0), horizon, game)
    assert len(window) == horizon
    assert not any(it in game.closed_days for it in window)
    assert window[-1] == labels.matures_on(day(0), horizon, game)
