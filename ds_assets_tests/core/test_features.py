import datetime as dt
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ds_assets.closed_days import ClosedDays
from ds_assets.core import features, labels
from ds_assets.core.attribute_texts import shorten
from ds_assets.core.engine import DataFrame
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import user_activity_table, user_features_table
from ds_assets.core.lifetimes import newest_roll_up, user_lifetimes_table
from ds_assets.game import Events, Game
from ds_assets.infra.engines.duckdb import DuckDBEngine, open_duckdb
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import read_rows, store_rows, table_file
from ds_assets_tests.core.factories import FIRST_DAY, make_game
from ds_assets_tests.core.lifetime_reference import dates_of, describe_lifetime

Described = dict[tuple[dt.date, str], dict[str, Any]]

LAST_NUMBER = 11
NUMBERS = range(LAST_NUMBER + 1)
GAME = make_game(
    active_days=3,
    windows=(1, 2, 5),
    events=Events(counted={"stage": ("stage",)}),
    properties={"seconds": "seconds"},
)
GAME_OF_ONE_LENGTH = GAME.model_copy(update={"active_days": 4, "windows": (2, 4)})
GAME_WITH_CLOSED_DAYS = GAME.model_copy(
    update={
        "closed_days": ClosedDays(
            frozenset(FIRST_DAY + dt.timedelta(days=n) for n in (2, 5, 7, 8, 40))
        )
    }
)
SNAPSHOTS = tuple(FIRST_DAY + dt.timedelta(days=number) for number in (2, 6, 7, 8, 9))
WINDOWED = [it.name for it in declare_features(GAME) if not it.is_of_lifetime]
"""Features that the days of the look-back show."""
SEEDS = st.integers(0, 2**32 - 1)

# A query takes as long as a thousand histories, so an example is many users at once. Users are
# independent of each other, and the one that fails is small: nothing is left to shrink.
many_histories = settings(max_examples=2, derandomize=True, phases=[Phase.explicit, Phase.generate])


@dataclass(frozen=True)
class Row:
    """A row of user_activity and the day on which it arrived."""

    arrived: dt.date
    user_id: str
    event_date: dt.date
    last_time: dt.datetime
    activity_time: dt.datetime | None = None
    events: int = 1
    activities: int = 1
    sessions: int = 0
    purchases: int = 0
    spend: float = 0.0
    count_stage: int = 0
    sum_seconds: float = 0.0
    last_country: str | None = None
    last_level: float | None = None


def engine() -> DuckDBEngine:
    return open_duckdb(512, 2)


def day(number: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(days=number)


def make_row(
    user: str, arrived: int, dated: int | None = None, hour: int = 12, **changes: Any
) -> Row:
    """A row that arrived on the day of a number, dated the same unless given."""
    date = day(arrived if dated is None else dated)
    return Row(day(arrived), user, date, dt.datetime.combine(date, dt.time(hour)), **changes)


def random_row(chance: random.Random, user: str, number: int | None = None) -> Row:
    """A row of any arrival day, often late, sometimes ahead; quarters add up without rounding.

    Some rows with activity lack its time, as those of earlier versions do.
    """
    arrived = chance.choice(NUMBERS) if number is None else number
    dated = arrived - chance.choice((-1, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 8))
    activities = chance.choice((0, 0, 1, 2))
    time = dt.datetime.combine(day(dated), dt.time(2, chance.randrange(60), chance.randrange(60)))
    return make_row(
        user,
        arrived,
        dated,
        hour=chance.choice((3, 12, 21)),
        activity_time=chance.choice((None, time)) if activities else None,
        events=chance.randint(1, 5),
        activities=activities,
        sessions=chance.randint(0, 2),
        purchases=chance.choice((0, 0, 1)),
        spend=chance.randint(-4, 40) / 4,
        count_stage=chance.randint(0, 3),
        sum_seconds=chance.randint(-40, 400) / 4,
        last_country=chance.choice((None, "KR", "US", "é")),
        last_level=chance.choice((None, -1.0, 0.0, 2.5)),
    )


def unique(rows: Iterable[Row]) -> list[Row]:
    """Rows without those that repeat the key of an earlier one."""
    return list({(row.arrived, row.user_id, row.event_date): row for row in rows}.values())


def random_histories(seed: int, users: int = 1000) -> list[Row]:
    chance = random.Random(seed)
    return unique(
        random_row(chance, f"user {number}")
        for number in range(users)
        for _ in range(chance.randint(1, 7))
    )


class World:
    """Stored activity, one file per arrival day, and what is computed from it."""

    def __init__(self, folder: Path, game: Game) -> None:
        self.game = game
        self._table = user_activity_table(game)
        self._lake = FolderLake(folder)
        self._days = [day(number) for number in NUMBERS]
        self.store([])

    def store(self, rows: Iterable[Row]) -> None:
        arrived = defaultdict(list)
        for row in rows:
            arrived[row.arrived].append(vars(row))
        self._days = sorted({*self._days, *arrived})
        for at in self._days:
            table = pa.Table.from_pylist(arrived[at], self._table.arrow_schema)
            store_rows(table, self._table.name, at, self._lake)

    def forget(self, column: str, at: dt.date) -> None:
        """Store a day as a version before the column did."""
        rows = read_rows(self._table, at, self._lake).drop_columns([column])
        store_rows(rows, self._table.name, at, self._lake)

    @contextmanager
    def features(self, snapshots: Sequence[dt.date] = SNAPSHOTS) -> Iterator[DataFrame]:
        roll_ups = {at: newest_roll_up(at) for at in snapshots}
        with (
            engine().read(self._days, self._table, self._lake) as activity,
            engine().read([], user_lifetimes_table(self.game), self._lake) as lifetimes,
            features.frame_of_snapshots(roll_ups, engine()) as days,
        ):
            yield features.user_features(activity, lifetimes, days, self.game, engine())

    def outcomes_of(
        self, snapshots: Mapping[dt.date, Sequence[dt.date]], horizon: int
    ) -> list[dict[str, Any]]:
        """Outcomes of the snapshots of each training day."""
        with (
            engine().read(self._days, self._table, self._lake) as activity,
            labels.frame_of_windows(snapshots, horizon, self.game, engine()) as windows,
        ):
            return list(records(labels.outcomes(activity, windows, self.game, (), engine())))

    def describe(self, rows: Iterable[Row], snapshots: Sequence[dt.date] = SNAPSHOTS) -> Described:
        """Features by snapshot and user."""
        self.store(rows)
        with self.features(snapshots) as frame:
            descriptions = list(records(frame))
        described = {(row.pop("snapshot"), row.pop("user_id")): row for row in descriptions}
        assert len(described) == len(descriptions), "a user is described twice in one snapshot"
        return described


def records(frame: DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of a frame with a snapshot; nothing is None."""
    for record in engine().to_pandas(frame).to_dict("records"):
        values = {str(k): None if v != v else v for k, v in record.items()}  # noqa: PLR0124
        days = {name: record[name].date() for name in ("as_of", "snapshot") if name in record}
        yield values | days


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("lake"), GAME)


def reference(rows: Sequence[Row], snapshots: Iterable[dt.date], game: Game) -> Described:
    """What the tables' meanings say, in plain Python, one user and snapshot at a time."""
    histories = defaultdict(list)
    for row in rows:
        histories[row.user_id].append(row)
    expected = {
        (snapshot, user): _described(history, snapshot, game)
        for snapshot in snapshots
        for user, history in histories.items()
    }
    return {key: described for key, described in expected.items() if described is not None}


def _described(history: list[Row], snapshot: dt.date, game: Game) -> dict[str, Any] | None:
    aged_rows = [
        (row, _open_days(row.event_date, snapshot, game))
        for row in history
        if row.arrived <= snapshot >= row.event_date
        and _open_days(row.event_date, snapshot, game) < game.lookback_days
    ]
    dates = {row.event_date: age for row, age in aged_rows if row.activities > 0}
    ages = sorted(dates.values())
    if not ages or ages[0] > game.active_days - 1:
        return None
    # A closed day is not an active day, but a user with an event then is known.
    active_ages = sorted(age for date, age in dates.items() if date not in game.closed_days)
    gaps = [
        min(earlier for earlier_date, earlier in dates.items() if earlier_date < date) - age
        for date, age in dates.items()
        if date not in game.closed_days and date != min(dates)
    ]
    typical = (ages[-1] - ages[0]) / (len(active_ages) - 1) if len(active_ages) > 1 else None
    return {
        **_sums(aged_rows, active_ages, snapshot, game),
        "days_since_active": ages[0],
        "days_since_purchase": min((age for row, age in aged_rows if row.purchases), default=None),
        "tenure_days": ages[-1],
        "typical_gap": typical,
        "longest_gap": max(gaps, default=None),
        "recency_in_gaps": ages[0] / typical if typical else None,
        "hours_since_active": (hours := _hours_since_active(aged_rows)),
        "hours_in_gaps": hours / (24 * typical) if typical else None,
        "last_country": _last(aged_rows, "last_country"),
        "last_level": _last(aged_rows, "last_level"),
        **describe_lifetime(dates_of(row for row, _ in aged_rows), snapshot, game),
    }


def _hours_since_active(aged_rows: list[tuple[Row, int]]) -> float:
    """Hours since the last activity, by the clock, without closed days."""
    times = [
        (row.activity_time or row.last_time, age) for row, age in aged_rows if row.activities > 0
    ]
    return min(
        24 * (age + 1) - (time.hour * 3600 + time.minute * 60 + time.second) / 3600
        for time, age in times
    )


def _open_days(first: dt.date, last: dt.date, game: Game) -> int:
    days = (first + dt.timedelta(days=n + 1) for n in range((last - first).days))
    return sum(day not in game.closed_days for day in days)


def _sums(
    aged_rows: list[tuple[Row, int]], active_ages: list[int], snapshot: dt.date, game: Game
) -> dict[str, float | None]:
    measures = ("events", "sessions", "purchases", "spend", "count_stage", "sum_seconds")
    logged = _open_days(game.first_day - dt.timedelta(days=1), snapshot, game)
    active = {days: len([age for age in active_ages if age <= days - 1]) for days in game.windows}
    return {
        **{f"active_days_{days}d": count for days, count in active.items()},
        **{
            f"{measure}_{days}d": sum(getattr(row, measure) for row, age in aged_rows if age < days)
            for measure in measures
            for days in game.windows
        },
        **{
            f"purchase_days_{days}d": len(
                {row.event_date for row, age in aged_rows if row.purchases and age < days}
            )
            for days in game.windows
        },
        **{
            f"trend_{a}d_{b}d": (
                (active[a] / min(a, logged)) / (active[b] / min(b, logged)) if active[b] else None
            )
            for a, b in pairwise(game.windows)
        },
    }


def _last(aged_rows: list[tuple[Row, int]], name: str) -> Any:
    values = [(row.last_time, getattr(row, name)) for row, _ in aged_rows]
    return max((pair for pair in values if pair[1] is not None), default=(None, None))[1]


def differences(actual: Described, expected: Described, rows: Sequence[Row] = ()) -> str:
    """The first snapshot and user on which two results do not agree, with the user's history."""
    for key in sorted(actual.keys() | expected.keys()):
        left, right = actual.get(key), expected.get(key)
        wrong = _unequal(left, right) if left and right else (left, right)
        if any(wrong):
            history = "\n".join(str(row) for row in rows if row.user_id == key[1])
            return f"{key}: {wrong}\n{history}"
    return ""


def _unequal(left: dict[str, Any], right: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    assert set(left) == set(right)
    return [(name, left[name], right[name]) for name in left if not _same(left[name], right[name])]


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-6)
    return bool(left == right)


@pytest.mark.parametrize("game", [GAME, GAME_OF_ONE_LENGTH, GAME_WITH_CLOSED_DAYS])
def test_features_are_what_their_meanings_say_whatever_the_history(
    game: Game, tmp_path: Path
) -> None:
    stored = World(tmp_path, game)

    @many_histories
    @given(seed=SEEDS)
    def check(seed: int) -> None:
        rows = random_histories(seed)
        expected = reference(rows, SNAPSHOTS, game)
        assert len(expected) > 1000
        assert not differences(stored.describe(rows), expected, rows)

    check()


def test_users_look_after_a_maintenance_as_they_did_before_it(tmp_path: Path) -> None:
    rows = [make_row("a", number, events=number) for number in (2, 4)]
    stored = World(tmp_path, GAME_WITH_CLOSED_DAYS)
    described = stored.describe([*rows, make_row("b", 6)], [day(6), day(7), day(8)])
    assert described[day(6), "a"]["days_since_active"] == 1  # day 5 was closed
    assert described[day(7), "a"] == described[day(8), "a"] == described[day(6), "a"]
    assert described[day(8), "b"]["events_1d"] == 1


def test_a_maintenance_in_each_week_of_a_year_can_be_planned(tmp_path: Path) -> None:
    closed = frozenset(FIRST_DAY - dt.timedelta(days=7 * n) for n in range(52))
    stored = World(tmp_path, GAME.model_copy(update={"closed_days": ClosedDays(closed)}))
    described = stored.describe([make_row("a", 8)], [day(9)])
    assert [row["days_since_active"] for row in described.values()] == [1]


def test_several_snapshots_at_once_give_the_same_as_one_at_a_time(world: World) -> None:
    rows = random_histories(seed=1)
    alone = world.describe(rows, [day(6)]) | world.describe(rows, [day(9)])
    together = world.describe(rows)
    assert {key: row for key, row in together.items() if key[0] in {day(6), day(9)}} == alone
    assert {snapshot for snapshot, _ in together} == set(SNAPSHOTS)


def test_a_snapshot_that_is_named_twice_is_described_once(world: World) -> None:
    assert len(world.describe([make_row("a", 6)], [day(6), day(6)])) == 1


def test_the_columns_are_those_of_the_table_with_the_snapshot_first(world: World) -> None:
    with world.features() as frame:
        assert list(frame.columns) == ["snapshot", *user_features_table(GAME).names]


def test_what_is_not_known_is_stored_as_missing_and_never_as_a_number(
    world: World, tmp_path: Path
) -> None:
    world.store(random_histories(seed=4))
    table, lake = user_features_table(GAME), FolderLake(tmp_path)
    with world.features() as frame:
        engine().store(frame, table, "snapshot", [day(8)], lake)
    stored = parquet.ParquetFile(lake.local(table_file(table.name, day(8)))).read()
    for column in table.columns:
        values = stored[column.name].to_pylist()
        assert column.nullable or None not in values, column.name
        assert column.type != "real" or not any(v is not None and math.isnan(v) for v in values)


def test_without_activity_nobody_is_described(world: World) -> None:
    assert world.describe([]) == {}


def test_a_user_is_active_on_each_of_the_active_days_and_not_the_day_after_them(
    world: World,
) -> None:
    described = world.describe(make_row(f"seen {age} days ago", 9 - age) for age in range(7))
    days_since_active = {
        user: row["days_since_active"] for (at, user), row in described.items() if at == day(9)
    }
    assert days_since_active == {f"seen {age} days ago": age for age in range(GAME.active_days)}


def test_a_window_holds_its_snapshot_and_the_days_before_it_and_no_more(world: World) -> None:
    rows = [make_row("a", 8 - age, events=2**age, spend=float(2**age)) for age in range(8)]
    row = world.describe([*rows, make_row("a", 9, events=1000)])[day(8), "a"]
    for days in GAME.windows:
        assert row[f"events_{days}d"] == row[f"spend_{days}d"] == 2**days - 1
        assert row[f"active_days_{days}d"] == days


def test_a_user_is_known_for_as_long_as_features_look_back(tmp_path: Path) -> None:
    rows = [make_row("a", number) for number in (0, 9, 60)]
    first = FIRST_DAY + dt.timedelta(days=9)
    row = World(tmp_path, GAME).describe(rows, [day(60)])[day(60), "a"]
    assert row["tenure_days"] == (day(60) - first).days == 51


def test_a_day_with_purchases_counts_once_whatever_the_basket_and_its_arrival(
    world: World,
) -> None:
    rows = [
        make_row("a", 8, purchases=10),
        make_row("a", 6, purchases=1),
        make_row("a", 7, dated=6, purchases=2),
        make_row("a", 9, dated=7, purchases=1),
    ]
    described = world.describe(rows)
    row = described[day(8), "a"]
    assert [row[f"purchase_days_{days}d"] for days in GAME.windows] == [1, 1, 2]
    assert row["purchases_5d"] == 13
    assert described[day(9), "a"]["purchase_days_5d"] == 3


def test_events_that_are_no_activity_are_counted_and_make_nobody_active(world: World) -> None:
    rows = [
        make_row("only mail", 8, activities=0, events=3),
        make_row("played once", 6),
        make_row("played once", 8, activities=0, events=3),
        make_row("played long ago", 5),
        make_row("played long ago", 8, activities=0, purchases=1),
    ]
    described = world.describe(rows)
    assert [user for at, user in described if at == day(8)] == ["played once"]
    row = described[day(8), "played once"]
    assert (row["days_since_active"], row["events_1d"], row["active_days_5d"]) == (2, 3, 1)
    assert row["longest_gap"] is None


def test_late_events_count_from_their_arrival_day_on_and_for_their_own_date(world: World) -> None:
    rows = [make_row("late", 8, dated=6), make_row("there", 6), make_row("there", 8, dated=4)]
    described = world.describe(rows)
    assert sorted(key for key in described if key[1] == "late") == [(day(8), "late")]
    assert described[day(8), "late"]["days_since_active"] == 2
    assert [described[day(n), "there"]["tenure_days"] for n in (6, 7, 8)] == [0, 1, 4]


def test_events_dated_ahead_of_their_arrival_count_from_their_own_date_on(world: World) -> None:
    described = world.describe([make_row("ahead", 7, dated=8)])
    assert sorted(snapshot for snapshot, _ in described) == [day(8), day(9)]


def test_the_arrival_days_that_features_ask_for_are_enough(tmp_path: Path) -> None:
    at = GAME.lookback_days + 4
    first, last = features.arrival_days(day(at), GAME)
    rows = random_histories(seed=2)
    rows += [make_row(user, at) for user in sorted({row.user_id for row in rows})]
    needed = [replace(r, user_id=f"-{r.user_id}") for r in rows if first <= r.arrived <= last]
    described = World(tmp_path, GAME).describe(rows + needed, [day(at)])
    assert len(needed) < len(rows)
    for (_, user), row in described.items():
        other = described[day(at), f"-{user.removeprefix('-')}"]
        assert {name: row[name] for name in WINDOWED} == {name: other[name] for name in WINDOWED}
    assert len(described) > 1000


def test_the_first_of_those_days_is_needed_for_a_clock_that_runs_ahead(tmp_path: Path) -> None:
    at = GAME.lookback_days
    assert features.arrival_days(day(at), GAME) == (day(0), day(at))
    rows = [make_row("a", at), make_row("a", 0, dated=1, spend=2.0)]
    described = World(tmp_path, GAME).describe(rows, [day(at)])[day(at), "a"]
    assert described["tenure_days"] == at - 1


def test_the_last_value_is_that_of_the_latest_time_that_has_one(world: World) -> None:
    rows = [
        make_row("late", 6, last_country="DE"),
        make_row("late", 8, dated=5, last_country="KR"),
        make_row("none", 6, last_country="US"),
        make_row("none", 8),
        make_row("hours", 7, hour=21, last_country="DE"),
        make_row("hours", 8, dated=7, hour=3, last_country="US"),
        make_row("ties", 7, last_country="DE", last_level=7.0),
        make_row("ties", 8, dated=7, last_country="KR", last_level=10.0),
        make_row("never", 8),
    ]
    described = {user: row for (at, user), row in world.describe(rows).items() if at == day(8)}
    assert {user: row["last_country"] for user, row in described.items()} == {
        "late": "DE",
        "none": "US",
        "hours": "DE",
        "ties": "KR",
        "never": None,
    }
    assert described["ties"]["last_level"] == 10.0


def test_a_long_text_of_a_day_that_an_older_version_stored_is_cut(world: World) -> None:
    rows = [make_row("long", 8, last_country="X" * 300)]
    described = world.describe(rows)[day(8), "long"]
    assert described["last_country"] == shorten("X" * 300)


def test_hours_count_from_the_last_activity_of_a_date_whenever_it_arrived(world: World) -> None:
    def at(number: int, hour: int) -> dt.datetime:
        return dt.datetime.combine(day(number), dt.time(hour, 30))

    rows = [
        make_row("a", 6, activity_time=at(6, 9)),
        make_row("a", 7, activity_time=at(7, 10), hour=21),
        make_row("a", 8, dated=7, activity_time=at(7, 20), hour=20),
        make_row("mail", 7, activity_time=at(7, 10)),
        make_row("mail", 8, activities=0, hour=21),
        make_row("earlier version", 8, hour=18),
    ]
    described = world.describe(rows)
    hours = {key: row["hours_since_active"] for key, row in described.items()}
    assert [hours[day(number), "a"] for number in (6, 7, 8, 9)] == [14.5, 13.5, 27.5, 51.5]
    assert described[day(8), "a"]["hours_in_gaps"] == 27.5 / 24
    assert (hours[day(8), "mail"], hours[day(8), "earlier version"]) == (37.5, 6.0)


def test_days_of_an_earlier_version_have_hours_by_the_last_event_of_a_date(tmp_path: Path) -> None:
    stored = World(tmp_path, GAME)
    stored.store([make_row("a", 6, hour=9), make_row("b", 7, hour=9)])
    stored.forget("activity_time", day(6))
    with stored.features([day(7)]) as frame:
        hours = {row["user_id"]: row["hours_since_active"] for row in records(frame)}
    assert hours == {"a": 39, "b": 15}


def test_hours_do_not_run_while_the_game_is_closed(tmp_path: Path) -> None:
    stored = World(tmp_path, GAME_WITH_CLOSED_DAYS)
    described = stored.describe([make_row("a", 6, hour=18)], [day(6), day(7), day(8), day(9)])
    hours = [described[day(number), "a"]["hours_since_active"] for number in (6, 7, 8, 9)]
    assert hours == [6, 6, 6, 30]


def test_a_steady_user_has_a_steady_trend_from_the_first_day_of_logs_on(world: World) -> None:
    described = world.describe(
        [make_row("a", number) for number in NUMBERS], [day(number) for number in NUMBERS]
    )
    assert len(described) == len(NUMBERS)
    assert {row[f"trend_{a}d_{b}d"] for row in described.values() for a, b in ((1, 2), (2, 5))} == {
        1
    }


def test_gaps_lie_between_active_days(world: World) -> None:
    rows = [make_row("a", 8 - age) for age in (0, 1, 4)] + [make_row("a", 6, activities=0)]
    described = world.describe(rows)
    before, after = described[day(8), "a"], described[day(9), "a"]
    assert (before["typical_gap"], before["longest_gap"], before["recency_in_gaps"]) == (2, 3, 0)
    assert (after["typical_gap"], after["longest_gap"], after["recency_in_gaps"]) == (2, 3, 0.5)
