"""Cohorts added up from days, beside the same computed from all events in plain Python."""

import datetime as dt
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given

from ds_assets.core import cohorts, features
from ds_assets.core.cohorts import HISTORY_DAYS, MAX_AGE_DAYS
from ds_assets.core.lifetimes import newest_roll_up, user_lifetimes_table
from ds_assets.game import Cohorts, Fields, Game
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.core.test_features import (
    SEEDS,
    Row,
    day,
    engine,
    make_row,
    many_histories,
    records,
    unique,
)
from ds_assets_tests.core.test_lifetimes import Rolled

FIELDS = Fields(user_id="user", event_time="time", event_type="type", amount="amount")
COSTS = {"KR": 1.5, "unknown": 0.25}
GAME = make_game(
    events={"counted": ["stage"]},
    properties={"seconds": "seconds"},
    fields=FIELDS,
    cohorts={"by": "country", "cost_per_user": COSTS},
)
WITHOUT_ATTRIBUTE = GAME.model_copy(update={"cohorts": Cohorts()})
COUNTS = ("users", "active_users", "payers", "purchases", "spend")


class Place(NamedTuple):
    """Where users and what they do are counted."""

    cohort: dt.date
    value: str
    age_days: int


Amounts = Mapping[Place, Mapping[str, float]]


class Grouped(Rolled):
    """Activity, its roll-ups, and what days add to cohorts."""

    def list_increments(self, snapshots: Sequence[dt.date]) -> list[dict[str, Any]]:
        roll_ups = {at: newest_roll_up(at) for at in snapshots}
        stored = sorted({*self._roll_ups} & {*roll_ups.values()})
        with (
            engine().read(self._days, self._table, self._lake) as activity,
            engine().read(stored, user_lifetimes_table(self.game), self._lake) as lifetimes,
            features.frame_of_snapshots(roll_ups, engine()) as days,
        ):
            arguments = (activity, lifetimes, days, self.game, engine())
            self.left_out = list(records(cohorts.count_left_out(*arguments)))
            frame = cohorts.cohort_increments(*arguments)
            return list(records(frame))


def add_up(increments: Iterable[Mapping[str, Any]]) -> Amounts:
    sums: dict[Place, Counter[str]] = defaultdict(Counter)
    for row in increments:
        place = Place(row["cohort"].date(), row["value"], row["age_days"])
        sums[place].update({name: row[name] for name in COUNTS})
    return _without_zeros(sums)


def _without_zeros(sums: Mapping[Place, Mapping[str, float]]) -> Amounts:
    return {
        place: {name: amounts[name] for name in COUNTS}
        for place, amounts in sums.items()
        if any(amounts[name] for name in COUNTS)
    }


def compute_directly(rows: Sequence[Row], at: dt.date, game: Game) -> Amounts:
    """Cohorts from all rows that arrived and happened by the end of a day."""
    histories = defaultdict(list)
    for row in rows:
        if row.arrived <= at >= row.event_date:
            histories[row.user_id].append(row)
    sums: dict[Place, Counter[str]] = defaultdict(Counter)
    for history in histories.values():
        active = {row.event_date for row in history if row.activities}
        if not active:
            continue
        first, bought = min(active), {row.event_date for row in history if row.purchases}
        monday = first - dt.timedelta(days=first.weekday())
        for date in {row.event_date for row in history}:
            of_date = [row for row in history if row.event_date == date]
            age = max((date - first).days, 0)
            place = Place(max(monday, game.first_day), latest_value(history, game), age)
            sums[place].update(
                {
                    "users": date == first,
                    "active_users": date in active,
                    "payers": bool(bought) and date == min(bought),
                    "purchases": sum(row.purchases for row in of_date),
                    "spend": sum(row.spend for row in of_date),
                }
            )
    return _without_zeros(sums)


def latest_value(history: Iterable[Row], game: Game) -> str:
    if game.cohorts.by is None:
        return "all"
    values = [
        (row.event_date, row.last_time, row.last_country) for row in history if row.last_country
    ]
    return str(max(values)[2]) if values else "unknown"


def random_cohorts(seed: int, *, days: int, users: int = 60, is_steady: bool = False) -> list[Row]:
    """Users who begin at any time and come for a while, with events up to three weeks late.

    Args:
        seed: Of the generator.
        days: Number of days.
        users: Number of users.
        is_steady: Whether users begin with activity, and their value, which some of them have with
            the first event only, never changes.
    """
    chance = random.Random(seed)
    values = (None, "KR", "US", "é")
    rows = []
    for number in range(users):
        start, own_value = chance.randrange(days), chance.choice(values)
        if is_steady:
            rows.append(make_row(f"user {number}", start, last_country=own_value))
        later_value = own_value if chance.random() < 0.5 else None
        for _ in range(chance.choice((1, 3, 12))):
            dated = min(start + chance.choice((0, 0, 1, 2, 5, 9, 30, 70)), days - 1)
            arrived = min(dated + chance.choice((-1, 0, 0, 0, 0, 1, 2, 6, 20)), days - 1)
            rows.append(
                make_row(
                    f"user {number}",
                    max(arrived, 0),
                    dated,
                    hour=chance.choice((3, 12, 21)),
                    activities=chance.choice((0, 1, 2)),
                    purchases=chance.choice((0, 0, 1)),
                    spend=chance.randint(-4, 40) / 4,
                    last_country=later_value if is_steady else chance.choice(values),
                )
            )
    return unique(rows)


@pytest.mark.parametrize("game", [GAME, WITHOUT_ATTRIBUTE])
def test_days_add_up_to_what_all_events_say_however_late_and_whatever_changes(
    game: Game, tmp_path: Path
) -> None:
    world = Grouped(tmp_path, game)
    snapshots = [day(number) for number in range(50)]

    @many_histories
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        rows = random_cohorts(seed, days=50)
        world.roll_up(rows, snapshots[-1])
        increments = world.list_increments(snapshots)
        for at in (day(10), day(33), snapshots[-1]):
            until = [row for row in increments if row["snapshot"] <= at]
            assert add_up(until) == compute_directly(rows, at, game)

    check()


def test_days_add_up_over_months_of_users_whose_value_stays(tmp_path: Path) -> None:
    world = Grouped(tmp_path, GAME)
    snapshots = [day(number) for number in range(150)]

    @many_histories
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        rows = random_cohorts(seed, days=150, is_steady=True)
        world.roll_up(rows, snapshots[-1])
        increments = world.list_increments(snapshots)
        assert add_up(increments) == compute_directly(rows, snapshots[-1], GAME)

    check()


def test_nothing_that_arrives_or_happens_after_a_day_changes_what_it_adds(tmp_path: Path) -> None:
    at = day(30)
    rows = random_cohorts(7, days=50)
    world = Grouped(tmp_path, GAME)
    earlier = [row for row in rows if row.arrived <= at >= row.event_date]
    later = [
        replace(row, activities=9, purchases=9, spend=1e6, last_country="later")
        for row in rows
        if row not in earlier
    ]
    added = []
    for of_test in (earlier, [*earlier, *later]):
        world.roll_up(of_test, at)
        added.append(sorted(map(str, world.list_increments([at]))))
    assert added[0] == added[1]
    assert added[0]


def test_a_second_run_and_other_days_in_the_run_change_nothing(tmp_path: Path) -> None:
    world = Grouped(tmp_path, GAME)
    world.roll_up(random_cohorts(3, days=50), day(49))
    together = world.list_increments([day(number) for number in range(20, 40)])
    for at in (day(21), day(39)):
        alone = world.list_increments([at])
        assert sorted(map(str, alone)) == sorted(
            str(row) for row in together if row["snapshot"] == at
        )


def test_a_cost_is_in_the_rows_of_its_value_only(tmp_path: Path) -> None:
    world = Grouped(tmp_path, GAME)
    world.roll_up(random_cohorts(1, days=20), day(19))
    costs = {
        (row["value"], row["cost_per_user"])
        for row in world.list_increments([day(number) for number in range(20)])
    }
    assert costs == {("KR", 1.5), ("unknown", 0.25), ("US", None), ("é", None)}


def test_a_user_who_returns_after_a_long_pause_is_not_new(tmp_path: Path) -> None:
    world = Grouped(tmp_path, GAME)
    back = 5 + HISTORY_DAYS + 20
    world.roll_up([make_row("u", 5), make_row("u", back, spend=3.0)], day(back))
    (row,) = world.list_increments([day(back)])
    assert (row["cohort"].date(), row["age_days"]) == (day(0), HISTORY_DAYS + 20)
    assert (row["users"], row["active_users"], row["spend"]) == (0, 1, 3.0)


def test_a_value_that_came_with_the_first_event_only_stays_for_the_whole_life(
    tmp_path: Path,
) -> None:
    world = Grouped(tmp_path, GAME)
    days = [5, *range(20, 200, 10)]
    rows = [make_row("u", number, last_country="US" if number == 5 else None) for number in days]
    world.roll_up(rows, day(days[-1]))
    increments = world.list_increments([day(number) for number in days])
    assert [(row["value"], row["active_users"]) for row in increments] == [("US", 1)] * len(days)


def test_ages_beyond_a_year_are_not_counted(tmp_path: Path) -> None:
    world = Grouped(tmp_path, GAME)
    last = MAX_AGE_DAYS + 1
    rows = [make_row("u", number) for number in (0, last - 1, last)]
    world.roll_up(rows, day(last))
    ages = [row["age_days"] for row in world.list_increments([day(last - 1), day(last)])]
    assert ages == [MAX_AGE_DAYS]


def test_values_beyond_the_largest_are_other_unless_they_have_a_cost(tmp_path: Path) -> None:
    world = Grouped(tmp_path, GAME)
    rows = [make_row("pays", 3, last_country="KR")]
    rows += [
        make_row(f"{number} {copy}", 3, last_country=f"C{number:02}")
        for number in range(22)
        for copy in range(1 + (number < 20))
    ]
    world.roll_up(rows, day(3))
    users = {row["value"]: row["users"] for row in world.list_increments([day(3)])}
    assert users == {"KR": 1, "other": 2} | {f"C{number:02}": 2 for number in range(20)}


def test_what_is_in_no_cohort_is_counted(tmp_path: Path) -> None:
    world = Grouped(tmp_path, GAME)
    rows = [
        make_row("late", 60, 2, events=4),
        make_row("late", 60),
        make_row("shopper", 60, activities=0, purchases=1),
    ]
    world.roll_up(rows, day(60))
    world.list_increments([day(60)])
    (counts,) = world.left_out
    assert (counts["users_without_activity"], counts["too_late_events"]) == (1, 4)
