"""The rehearsal: the days in turn with their events, and the comparison with days in order.

After each week, each day of each asset is current by provenance, or refused with a verdict, or
missing, and the results database and the cache hold what the lake holds.

At the end the installation is compared with another one, the reference, which had the source, the
game file and the operator's decisions of the end from the beginning, and ran all days in order. A
day that was predicted before a late file came keeps the models that it had: clusters, champions and
training snapshots are history inputs, whose change makes nothing outdated (docs/decisions/0017). So
there are two comparisons:

1. Without any help, what models learn from is equal: activity, features and event ids of each day.
2. After one more run over all days in order, which renews the history inputs, everything is equal:
   tables, models, deliveries and the cache. The stored clusters are deleted before it: an id is
   never given to another cluster, so clusters that are made again on purpose have other ids. Whom
   promotions were assigned to is a fact of its day, from which the reference begins; so what came
   of them is compared, and the assignments follow rules of their own (`promotions.py`).

The length is bounded in days, not in time, so that a slow machine does the same work.
"""

import datetime as dt
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import dagster as dg
import time_machine

from ds_assets.core.lineage import EFFECT_MODELS, EFFECTS
from ds_assets.core.verdicts import Decision
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets_tests.assets.factories import Installation, few_pictures, make_played
from ds_assets_tests.rehearsal import promotions
from ds_assets_tests.rehearsal.compare import (
    DATA,
    delivered,
    find_differences,
    find_wrong_deliveries,
    stored,
    stored_tables,
    whole_cache,
)
from ds_assets_tests.rehearsal.dagster_storage import kept_connections
from ds_assets_tests.rehearsal.events import EVENTS, OPERATOR, Event
from ds_assets_tests.rehearsal.promotions import (
    copy_facts,
    find_broken_rules,
    find_unfinished,
    report_shown_offers,
)
from ds_assets_tests.rehearsal.servers import Servers, open_servers
from ds_assets_tests.rehearsal.world import World

START = dt.date(2040, 1, 1)
"""First day of the game."""
GAME = {"horizons": {"churn": 2, "payment": 2}, **promotions.GAME}
"""Labels mature within days, so that models are trained from the twelfth day on."""
ACCOUNTS = 350
"""With fewer, too few of them leave or do not pay for models to be trained."""
HISTORY_DAYS = 8
"""Days that are stored in order before the first event."""
CALM_DAYS = 3
"""Days at the end without events, on which what was planned happens."""
WEEK, YEAR = 7, 365
COLLECTED = dg.AssetSelection.assets("raw_logs", "user_activity")
LEARNT = dg.AssetSelection.assets("clusters", EFFECT_MODELS).downstream()


def rehearse(
    days: int, seed: int, say: Callable[[str], None], *, has_servers: bool = False
) -> list[str]:
    """Rehearse a number of days of operation.

    Args:
        days: Number of days, after those of the history.
        seed: Seed of all random choices.
        say: Receives a line for each thing that happens.
        has_servers: Whether to deliver to MariaDB and Redis; otherwise to embedded ones.

    Returns:
        What is wrong at the end or was after a week, as sentences.
    """
    say(f"seed {seed}: {days} days, {ACCOUNTS} accounts")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        few_pictures(),
        kept_connections(),
        open_servers(Path(folder), has_servers=has_servers) as servers,
        time_machine.travel(dt.datetime.combine(START, dt.time(), dt.UTC)) as time,
    ):
        world = make_world(Path(folder), servers, days, seed, say, time)
        with world.installation.cache() as keeper:
            keeper.ping()  # keeps one embedded server running, as in operation
            faults = operate(world, days, plan_events(days, world.chance))
            return faults + compare(world, Path(folder) / "in order")


def make_world(
    folder: Path,
    servers: Servers,
    days: int,
    seed: int,
    say: Callable[[str], None],
    time: time_machine.Traveller,
) -> World:
    """An installation that has stored its history in order."""
    home = folder / "home"
    count = HISTORY_DAYS + days
    make_played(home, GAME, start=START, users=ACCOUNTS, days=count, seed=seed)
    logs = (home / "source").rename(folder / "logs")
    before = START - dt.timedelta(days=1)
    world = World(home, servers, logs, random.Random(seed), say, time, before)
    for _ in range(HISTORY_DAYS):
        world.begin_day()
        world.upload(world.today)
    world.installation.run(START, world.today)
    servers.back_up()
    return world


def plan_events(days: int, chance: random.Random) -> Mapping[int, Sequence[Event]]:
    """Choose the days of each kind of event, for each group of kinds on its own."""
    planned = defaultdict(list)
    for kinds in EVENTS:
        events = [
            kind for kind in kinds for _ in range(max(1, round(kind.times_per_year * days / YEAR)))
        ]
        numbers = chance.sample(range(days - CALM_DAYS), len(events))
        for number, event in zip(numbers, events, strict=True):
            planned[number].append(event)
    return planned


def operate(world: World, days: int, events: Mapping[int, Sequence[Event]]) -> list[str]:
    """Let all days pass. Returns what was wrong after a week or at the end."""
    faults: list[str] = []
    for number in range(days):
        world.begin_day()
        report_shown_offers(world)
        for action in world.plans.pop(world.today, []):
            action()
        for event in events.get(number, []):
            world.say(f"{world.today}: {event.name}")
            event.happen(world)
        if world.today not in world.uploaded:
            world.upload(world.today)
        world.run_until_idle()
        if number % WEEK == WEEK - 1 or number == days - 1:
            differences = find_wrong_deliveries(world.installation)
            faults += [
                f"on {world.today}: {fault}"
                for fault in (
                    *world.find_unaccounted_days(),
                    *differences,
                    *find_broken_rules(world),
                )
            ]
            world.say(f"{world.today}: all days are compared, {len(faults)} faults so far")
    return faults + find_unfinished(world)


def compare(world: World, home: Path) -> list[str]:
    """Compare with an installation that had everything in order; see the module's docstring."""
    in_order = run_in_order(world, home)
    world.say("the reference is made")
    installation = world.installation
    faults = find_differences(stored_tables(installation, DATA), stored_tables(in_order, DATA))
    forget_what_goes_on(installation)
    installation.run(START, world.today, LEARNT)
    world.say("all days are run once more, in order")
    for content in (stored, delivered, whole_cache):
        faults += find_differences(content(installation), content(in_order))
    return faults


def forget_what_goes_on(installation: Installation) -> None:
    """Delete what runs continue or keep: cluster ids, which begin again, and effect models."""
    lake = installation.lake
    of_effects = (f"models/{EFFECTS}".rstrip("/"), f"provenance/{EFFECT_MODELS}")
    folders = ("clusters", "models/clusters", "provenance/clusters", *of_effects)
    lake.delete([item.name for folder in folders for item in lake.objects(folder)])


def run_in_order(world: World, home: Path) -> Installation:
    """Run all days in order, with the operator's decisions known."""
    in_order = world.copy_sources(home)
    copy_facts(world.installation, in_order)
    in_order.run(START, world.today, COLLECTED)
    for accepted in sorted(world.accepted):
        decide_by_operator(
            accepted, Decision.ACCEPTED, "rehearsed", OPERATOR, in_order.lake, in_order.game
        )
    in_order.run(START, world.today, dg.AssetSelection.all() - COLLECTED)
    return in_order
