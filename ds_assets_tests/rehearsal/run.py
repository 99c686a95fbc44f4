"""The rehearsal: the days in turn with their events, and the comparison with days in order.

What must be equal. A day that was predicted before a late file came keeps the models that it had:
clusters, champions and training snapshots are history inputs, whose change makes nothing outdated
(docs/decisions/0017). So three things are compared, with an installation that had the source, the
game file and the operator's decisions as they are at the end from the beginning, and ran all days
in order:

1. When the sensors have come to rest, `user_activity` and `user_features` of every day are equal,
   without any help: nothing of a disturbance is left in the data that models learn from.
2. Then the results database holds the predictions in the lake for every day, and the cache those
   of the newest one.
3. After one more run over all days in order, which renews the history inputs, every table, every
   delivery and every cached value is equal: nothing else of a disturbance is left anywhere. The
   stored clusters are deleted before it: an id is never given to another cluster, so clusters that
   are made again on purpose have other ids.

After each week, each day is current by provenance, or refused with a verdict, or missing.
"""

import datetime as dt
import random
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from ds_assets.core.checksum import checksum
from ds_assets.core.verdicts import Decision
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.tables import read_predictions, stored_days
from ds_assets.sensors import log_source, sensor
from ds_assets_tests.assets.factories import (
    START,
    Installation,
    day,
    few_pictures,
    make_played,
)
from ds_assets_tests.infra.factories import get_rows
from ds_assets_tests.rehearsal.events import EVENTS, OPERATOR, Event
from ds_assets_tests.rehearsal.world import World

DATA = ("user_activity", "user_features")
TABLES = (*DATA, "clusters", "predictions", "cluster_profiles", "prediction_outcomes")
HISTORY_DAYS = 14
"""Days that are stored in order before the first event, so that models are trained."""
CALM_DAYS = 3
"""Days at the end without events, on which what was planned happens."""
WEEK, YEAR = 7, 365


def rehearse(days: int, users: int, seed: int, say: Callable[[str], None]) -> list[str]:
    """Rehearse a number of days of operation.

    Args:
        days: Number of days, after those of the history.
        users: Accounts of the game.
        seed: Seed of all random choices.
        say: Receives a line for each thing that happens.

    Returns:
        What is wrong at the end or was after a week, as sentences.
    """
    say(f"seed {seed}: {days} days, {users} users")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        few_pictures(),
        pytest.MonkeyPatch.context() as patch,
    ):
        world = make_world(Path(folder), users, days, seed, say)
        for module in (log_source, sensor):
            patch.setattr(module, "clock", world.clock)
        patch.setattr(log_source, "find_newest_due_day", lambda *_: world.today)
        with world.installation.cache() as keeper:
            keeper.ping()  # keeps one server running, as in operation
            faults = operate(world, days, plan_events(days, world.chance))
            return faults + compare(world, Path(folder) / "in order")


def make_world(folder: Path, users: int, days: int, seed: int, say: Callable[[str], None]) -> World:
    """An installation that has stored its history in order."""
    home = folder / "home"
    make_played(home, users=users, days=HISTORY_DAYS + days, seed=seed)
    logs = (home / "source").rename(folder / "logs")
    world = World(home, logs, random.Random(seed), say, today=day(HISTORY_DAYS - 1))
    for number in range(HISTORY_DAYS):
        world.upload(day(number))
    world.installation.run(START, world.today)
    world.back_up()
    return world


def plan_events(days: int, chance: random.Random) -> Mapping[int, Event]:
    """Choose the days of each kind of event, at most one on a day."""
    events = [
        event for event in EVENTS for _ in range(max(1, round(event.times_per_year * days / YEAR)))
    ]
    return dict(zip(chance.sample(range(days - CALM_DAYS), len(events)), events, strict=True))


def operate(world: World, days: int, events: Mapping[int, Event]) -> list[str]:
    """Let all days pass. Returns what was wrong after a week or at the end."""
    faults: list[str] = []
    for number in range(days):
        world.begin_day()
        for action in world.plans.pop(world.today, []):
            action()
        if event := events.get(number):
            world.say(f"{world.today}: {event.name}")
            event.happen(world)
        if world.today not in world.uploaded:
            world.upload(world.today)
        world.run_until_idle()
        if number % WEEK == WEEK - 1 or number == days - 1:
            faults += [f"on {world.today}: {fault}" for fault in world.find_unaccounted_days()]
            world.say(f"{world.today}: all days are looked at, {len(faults)} faults so far")
    return faults


def compare(world: World, home: Path) -> list[str]:
    """Compare with an installation that had everything in order; see the module's docstring."""
    in_order = run_in_order(world, home)
    installation = world.installation
    faults = find_differences("data", checksums(installation, DATA), checksums(in_order, DATA))
    faults += find_wrong_deliveries(installation)
    forget_cluster_ids(installation)
    installation.run(START, world.today)
    world.say("all days are run once more, in order")
    faults += find_differences("table", checksums(installation), checksums(in_order))
    faults += find_differences("delivery", installation.delivered(), in_order.delivered())
    return faults + find_differences("cached user", cached(installation), cached(in_order))


def forget_cluster_ids(installation: Installation) -> None:
    """Delete the clusters of all days, so that their ids begin again with the first one."""
    lake = installation.lake
    folders = ("clusters", "models/clusters", "provenance/clusters")
    lake.delete([item.name for folder in folders for item in lake.objects(folder)])


def run_in_order(world: World, home: Path) -> Installation:
    """Run all days in order, with the operator's decisions known."""
    in_order = world.copy_sources(home)
    in_order.run(START, world.today, ["raw_logs", "user_activity"])
    for accepted in sorted(world.accepted):
        decide_by_operator(
            accepted, Decision.ACCEPTED, "rehearsed", OPERATOR, in_order.lake, in_order.game
        )
    in_order.run(START, world.today)
    return in_order


def checksums(installation: Installation, tables: tuple[str, ...] = TABLES) -> dict[str, str]:
    """The checksum of each stored day of each table."""
    lake = installation.lake
    return {
        f"{table} of {stored}": checksum(
            parquet.read_table(lake.local(file.name), partitioning=None)
        )
        for table in tables
        for stored, file in stored_days(table, lake).items()
    }


def find_wrong_deliveries(installation: Installation) -> list[str]:
    """Find deliveries that are not what the lake has."""
    delivered = {str(it): text for it, text in installation.delivered().items()}
    lake = installation.lake
    stored = {
        str(it): checksum(read_predictions(it, lake)) for it in stored_days("predictions", lake)
    }
    faults = find_differences("delivered day", delivered, stored)
    newest = installation.predictions(dt.date.fromisoformat(max(delivered)))
    rows = {row["user_id"]: row for row in newest.to_pylist()}
    in_cache = {user: row for user, row in cached(installation).items() if user in rows}
    return faults + find_differences("cached user", in_cache, rows)


def cached(installation: Installation) -> dict[str, Any]:
    """The cached row of each user that has predictions on any delivered day."""
    users = pa.chunked_array(
        [chunk for it in installation.delivered()
         for chunk in installation.predictions(it)["user_id"].chunks]
    ).unique().to_pylist()  # fmt: skip
    with installation.cache() as cache:
        return dict(zip(users, get_rows(cache, users), strict=True))


def find_differences(
    kind: str, present: Mapping[Any, Any], expected: Mapping[Any, Any]
) -> list[str]:
    """Name what is not equal in two mappings."""
    names = sorted(present.keys() | expected.keys(), key=str)
    return [f"{kind} {it} differs" for it in names if present.get(it) != expected.get(it)]
