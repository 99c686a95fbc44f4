"""Lifetimes of users, beside the same computed from the whole history in plain Python."""

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.closed_days import ClosedDays
from ds_assets.core import features, lifetimes
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.lifetimes import find_roll_ups, last_covered_date, newest_roll_up
from ds_assets.game import MIN_LOOKBACK_DAYS, Game
from ds_assets.infra.lake.tables import between
from ds_assets_tests.core.factories import FIRST_DAY
from ds_assets_tests.core.lifetime_reference import dates_of, describe_lifetime
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
    records,
    unique,
)

LAST = day(150)
SNAPSHOTS = (day(40), day(61), day(89), day(90), LAST)
SHUT = ClosedDays(frozenset(map(day, (10, 11, 62, 80, 115, 140))))
CLOSED = GAME.model_copy(update={"closed_days": SHUT})
NAMES = [feature.name for feature in declare_features(GAME) if feature.is_of_lifetime]


class Rolled(World):
    """Activity of five months and what is rolled up of it."""

    def roll_up(self, rows: Iterable[Row], until: dt.date = LAST) -> dict[dt.date, int]:
        """Store the rows, and every roll-up that can be made. Returns what came too late."""
        self.store(rows)
        table = lifetimes.user_lifetimes_table(self.game)
        too_late = {}
        self._roll_ups: list[dt.date] = []
        for roll_up in find_roll_ups(FIRST_DAY, until):
            arrived = between(self._days, dt.date.min, roll_up)
            with (
                engine().read(arrived, self._table, self._lake) as activity,
                engine().read(self._roll_ups[-1:], table, self._lake) as earlier,
                lifetimes.frame_of_period(roll_up, engine()) as period,
            ):
                frame = lifetimes.roll_up(earlier, activity, period, self.game, engine())
                engine().store(frame, table, "roll_up", [roll_up], self._lake)
                late = engine().to_pandas(lifetimes.count_too_late(activity, period, engine()))
            too_late[roll_up] = int(late["events"].sum())
            self._roll_ups.append(roll_up)
        return too_late

    def describe_rolled(self, snapshots: Sequence[dt.date] = SNAPSHOTS) -> Described:
        """Lifetime features by snapshot and user."""
        table = lifetimes.user_lifetimes_table(self.game)
        roll_ups = {at: newest_roll_up(at) for at in snapshots}
        with (
            engine().read(self._days, self._table, self._lake) as activity,
            engine().read(
                sorted({*self._roll_ups} & {*roll_ups.values()}), table, self._lake
            ) as stored,
            features.frame_of_snapshots(roll_ups, engine()) as days,
        ):
            frame = features.user_features(activity, stored, days, self.game, engine())
            return {
                (row["snapshot"], row["user_id"]): {name: row[name] for name in NAMES}
                for row in records(frame)
            }


def random_lives(seed: int, users: int = 150) -> list[Row]:
    """Users who come rarely or often, with late events, for five months."""
    chance = random.Random(seed)
    return unique(
        make_row(
            f"user {number}",
            arrived,
            arrived - chance.choice((-1, 0, 0, 0, 0, 1, 2, 5, 30, 60)),
            activities=chance.choice((0, 1, 2)),
            purchases=chance.choice((0, 0, 1)),
            spend=chance.randint(-4, 40) / 4,
        )
        for number in range(users)
        for arrived in [*chance.choices(range(151), k=chance.choice((3, 12, 40))), 40, 61, 90, 150]
    )


def counts(row: Row, snapshot: dt.date) -> bool:
    """Whether a lifetime feature of a snapshot knows a row, by what the module says."""
    if row.arrived > snapshot or row.event_date > snapshot:
        return False
    roll_up = newest_roll_up(snapshot)
    if row.event_date > last_covered_date(roll_up):
        return True
    while row.event_date <= last_covered_date(roll_up - dt.timedelta(days=28)):
        roll_up -= dt.timedelta(days=28)
    return roll_up in find_roll_ups(FIRST_DAY, snapshot) and row.arrived <= roll_up


def reference(rows: Sequence[Row], described: Described, game: Game) -> Described:
    histories = defaultdict(list)
    for row in rows:
        histories[row.user_id].append(row)
    return {
        (snapshot, user): describe_lifetime(
            dates_of(row for row in histories[user] if counts(row, snapshot)), snapshot, game
        )
        for snapshot, user in described
    }


@pytest.mark.parametrize("game", [GAME, CLOSED])
def test_lifetimes_are_those_of_the_whole_history_however_often_they_are_rolled_up(
    game: Game, tmp_path: Path
) -> None:
    world = Rolled(tmp_path, game)

    @many_histories
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        rows = random_lives(seed)
        world.roll_up(rows)
        described = world.describe_rolled()
        assert len(described) > 250
        assert not differences(described, reference(rows, described, game), rows)

    check()


@pytest.mark.parametrize("seed", range(2))
def test_what_arrives_after_a_day_changes_no_lifetime_feature_of_it(
    seed: int, tmp_path: Path
) -> None:
    rows = random_lives(seed, users=60)
    chance = random.Random(seed)
    others = [
        row if row.arrived <= day(90) else replace(row, activities=7, purchases=3, spend=1e6)
        for row in rows
        if row.arrived <= day(90) or chance.random() < 0.5
    ]
    described = []
    for number, history in enumerate((rows, others)):
        world = Rolled(tmp_path / str(number), GAME)
        world.roll_up(history)
        described.append(world.describe_rolled())
    before, after = ({key: row for key, row in it.items() if key[0] <= day(90)} for it in described)
    assert before == after
    assert described[0] != described[1]


@given(st.integers(0, 400), st.integers(0, 200))
def test_roll_ups_cover_every_date_from_the_first_day_on_that_is_old_enough(
    first: int, days: int
) -> None:
    at = day(first + days)
    roll_ups = find_roll_ups(day(first), at)
    covered = [last_covered_date(roll_up) for roll_up in roll_ups]
    assert all(earlier + dt.timedelta(days=28) == later for earlier, later in pairwise(covered))
    if covered:
        assert roll_ups[-1] <= at
        assert covered[0] >= day(first) > covered[0] - dt.timedelta(days=28)
    uncovered = (at - (covered[-1] if covered else day(first) - dt.timedelta(days=1))).days
    assert uncovered < MIN_LOOKBACK_DAYS


def test_what_arrives_after_the_roll_up_of_its_date_is_counted_and_in_no_lifetime(
    tmp_path: Path,
) -> None:
    world = Rolled(tmp_path, GAME)
    roll_up = find_roll_ups(FIRST_DAY, LAST)[0]
    number = (roll_up - FIRST_DAY).days
    rows = [
        make_row("a", number + 1, dated=number - 28, events=4),
        make_row("a", number, dated=number - 28, events=2, activities=5),
        make_row("a", 150),
    ]
    too_late = world.roll_up(rows)
    assert [events for events in too_late.values() if events] == [4]
    described = world.describe_rolled([LAST])[LAST, "a"]
    assert described["lifetime_days"] == 150 - (number - 28)
    assert described["lifetime_active_days"] == 2
