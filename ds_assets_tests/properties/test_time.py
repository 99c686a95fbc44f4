"""Nothing from the future, and nothing from the order in which files happen to be read."""

import datetime as dt
import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from ds_assets.core import activity, features
from ds_assets.core.game_tables import user_activity_table
from ds_assets.core.lifetimes import newest_roll_up, user_lifetimes_table
from ds_assets.game import Events, Game
from ds_assets.infra.lake.base import day_folder
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.raw_logs import RAW, RawObject, raw_objects
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.core.test_features import (
    GAME,
    NUMBERS,
    SEEDS,
    SNAPSHOTS,
    Described,
    Row,
    World,
    day,
    engine,
    make_row,
    many_histories,
    random_histories,
    random_row,
    records,
    unique,
)

AS_OF = day(7)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("lake"), GAME)


def is_known(row: Row, at: dt.date) -> bool:
    return row.arrived <= at and row.event_date <= at


def in_another_future(rows: Sequence[Row], fixed: Any, seed: int) -> list[Row]:
    """The rows with all that is not fixed removed, changed or kept, and more of it added."""
    chance = random.Random(f"another {seed}")
    users = sorted({row.user_id for row in rows})
    others = (random_row(chance, chance.choice(users)) for _ in rows)
    added = [row for row in others if not fixed(row)]
    kept = [row for row in rows if fixed(row) or chance.random() < 0.3]
    changed = [
        row if fixed(row) or chance.random() < 0.3 else replace(row, activities=7, spend=1e6)
        for row in kept
    ]
    return unique([*changed, *added])


def with_counterparts(rows: Sequence[Row], others: Sequence[Row]) -> list[Row]:
    """Both histories of each user in one world, distinguished by the id."""
    return [*rows, *(replace(row, user_id=f"counterpart of {row.user_id}") for row in others)]


def assert_counterparts_are_equal(described: Described, snapshots: Sequence[dt.date]) -> int:
    """Compare every user with the counterpart, and return the number of users."""
    rows_by_key = {key: row for key, row in described.items() if key[0] in snapshots}
    users = {
        key: row for key, row in rows_by_key.items() if not key[1].startswith("counterpart of ")
    }
    paired = {(at, f"counterpart of {user}"): row for (at, user), row in users.items()}
    assert paired == {key: row for key, row in rows_by_key.items() if key not in users}
    return len(users)


@pytest.mark.slow
@many_histories
@given(seed=SEEDS)
def test_what_arrives_or_happens_after_a_day_changes_no_feature_and_no_population_of_it(
    world: World, seed: int
) -> None:
    rows = random_histories(seed)
    others = in_another_future(rows, lambda row: is_known(row, AS_OF), seed)
    described = world.describe(with_counterparts(rows, others))
    assert assert_counterparts_are_equal(described, [at for at in SNAPSHOTS if at <= AS_OF]) > 500
    with pytest.raises(AssertionError):  # the futures do differ
        assert_counterparts_are_equal(described, SNAPSHOTS)


def test_a_future_of_one_day_changes_nothing(world: World) -> None:
    past = make_row("a", 6, last_country="KR")
    futures = {
        "arrives": make_row("arrives", 8, dated=7, spend=5.0),
        "arrives very late": make_row("arrives very late", 8, dated=4, spend=5.0),
        "is dated": make_row("is dated", 7, dated=8, spend=5.0, last_country="US"),
        "both": make_row("both", 8, spend=5.0, last_country="US"),
    }
    rows = [replace(past, user_id=user) for user in ("a", *futures)]
    described = world.describe([*rows, *futures.values()])
    at_the_day = {user: row for (at, user), row in described.items() if at == AS_OF}
    assert at_the_day == dict.fromkeys(["a", *futures], at_the_day["a"])
    day_later = {user: row for (at, user), row in described.items() if at == day(8)}
    assert all(day_later[user]["spend_5d"] == 5.0 for user in futures)


@pytest.mark.slow
@many_histories
@given(seed=SEEDS)
def test_only_what_happened_in_the_window_and_arrived_by_the_training_day_changes_a_label(
    world: World, seed: int
) -> None:
    snapshot, horizon = day(4), 3
    rows = random_histories(seed)

    def fixed(row: Row) -> bool:
        return row.arrived <= AS_OF and 1 <= (row.event_date - snapshot).days <= horizon

    world.store(with_counterparts(rows, in_another_future(rows, fixed, seed)))
    outcomes = world.outcomes_of({AS_OF: [snapshot]}, horizon)
    described = {(row.pop("snapshot"), row.pop("user_id")): row for row in outcomes}
    assert {row.pop("as_of") for row in described.values()} == {AS_OF}
    assert assert_counterparts_are_equal(described, [snapshot]) > 300


# --- from lines to features -----------------------------------------------------------------------

PLAYED = make_game(
    fields={
        "user_id": "user",
        "event_time": "time",
        "event_type": "type",
        "event_id": "id",
        "amount": "amount",
    },
    events=Events(activity=("play", "buy"), purchases=("buy",), sessions=("play",)),
    active_days=2,
    windows=(1, 3),
    attributes={"country": {"field": "country"}, "level": {"field": "level", "type": "number"}},
)
LINES = dict[int, list[dict[str, Any]]]


def random_lines(seed: int, users: int = 120) -> LINES:
    """Events by arrival day, some late, some twice; quarters add up without rounding."""
    chance = random.Random(seed)
    lines: LINES = {number: [] for number in NUMBERS[:6]}
    for number in range(users * 8):
        arrived = chance.randrange(6)
        dated = day(arrived - chance.choice((0, 0, 0, 1, 2, 3)))
        line = {
            "id": f"event {number}",
            "user": f"user {chance.randrange(users)}",
            "time": f"{dated} {chance.choice((3, 12, 21)):02d}:00:00",
            "type": chance.choice(("play", "mail", "mail", "buy")),
            "amount": chance.randint(1, 40) / 4,
            "country": chance.choice(("KR", "US", "é")),
            "level": chance.randint(1, 9),
        }
        lines[arrived] += [line] * chance.choice((1, 1, 1, 2))
    return lines


def write_lines(
    lines: LINES, lake: FolderLake, chance: random.Random, files: int
) -> list[RawObject]:
    """Lines in files of their arrival days, in any order."""
    for number, arrived in lines.items():
        shuffled = chance.sample(arrived, len(arrived))
        for part in range(files):
            text = "".join(json.dumps(line) + "\n" for line in shuffled[part::files])
            name = f"{day_folder(RAW, day(number))}/{part}.jsonl.gz"
            lake.write(name, gzip.compress(text.encode(), 1))
    written = [item for number in lines for item in raw_objects(day(number), lake)]
    return chance.sample(written, len(written))


def described_lines(files: Sequence[RawObject], batches: int, lake: FolderLake) -> Described:
    """Features of what is in files, read in a number of batches of days."""
    table = user_activity_table(PLAYED)
    days = sorted({file.day for file in files})
    with engine().events(PLAYED) as reader:
        frame = activity.daily_activity(reader.frame, PLAYED, engine())
        for n in range(batches):
            batch = set(days[n::batches])
            reader.read([file for file in files if file.day in batch], lake)
            engine().store(frame, table, "dt", batch, lake)
    with (
        engine().read(days, table, lake) as frame,
        engine().read([], user_lifetimes_table(PLAYED), lake) as lifetimes,
        features.frame_of_snapshots({at: newest_roll_up(at) for at in days}, engine()) as snapshots,
    ):
        rows = records(features.user_features(frame, lifetimes, snapshots, PLAYED, engine()))
        return {(row.pop("snapshot"), row.pop("user_id")): row for row in rows}


def population(lines: LINES, game: Game, types: tuple[str, ...]) -> set[tuple[dt.date, str]]:
    """Who was active at the end of each arrival day, by what the words say."""
    return {
        (day(snapshot), line["user"])
        for snapshot in lines
        for arrived in range(snapshot + 1)
        for line in lines[arrived]
        for age in range(game.active_days)
        if line["type"] in types and line["time"].startswith(str(day(snapshot - age)))
    }


@pytest.mark.slow
def test_the_order_of_lines_files_and_batches_changes_no_feature(tmp_path: Path) -> None:
    lines = random_lines(seed=1)
    results = []
    for n, (files, batches) in enumerate([(1, 1), (3, 2)]):
        lake = FolderLake(tmp_path / str(n))
        frame = write_lines(lines, lake, random.Random(n), files)
        results.append(described_lines(frame, batches, lake))
    assert results[0] == results[1]
    assert set(results[0]) == population(lines, PLAYED, ("play", "buy"))
    assert set(results[0]) < population(lines, PLAYED, ("play", "buy", "mail"))


@pytest.mark.slow
def test_the_order_of_rows_changes_no_feature(world: World) -> None:
    rows = random_histories(seed=3)
    assert world.describe(rows) == world.describe(random.Random(3).sample(rows, len(rows)))
