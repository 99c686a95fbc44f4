"""What goes wrong in a year of operation: one function and one line of `EVENTS` for each kind.

Each begins before the logs of the day are collected. What ends it later is planned by it.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from ds_assets.core.verdicts import Decision
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.refresh import request_refresh
from ds_assets.jobs import DELIVER_AGAIN
from ds_assets_tests.assets.factories import change_game
from ds_assets_tests.infra.receivers import ACKNOWLEDGED
from ds_assets_tests.rehearsal.older_release import store_as_older_release
from ds_assets_tests.rehearsal.world import World

FEW = 0.1
"""Share of a day's events with which the checks refuse it."""
OPERATOR = "rehearsal"
WINDOWS = ([1, 7, 14], [1, 7, 12])
_LONGEST_RUN_SECONDS = 600
AWAY = 503, {"retry-after": "3600"}
"""A reply after which a run does not try again."""


@dataclass(frozen=True)
class Event:
    """A kind of event.

    Attributes:
        name: What it is called in the report.
        happen: What it does.
        times_per_year: How often it happens; in any rehearsal at least once.
    """

    name: str
    happen: Callable[[World], None]
    times_per_year: int = 8


def upload_late(world: World) -> None:
    """Upload part of the day now and the rest a day or two later."""
    day, share = world.today, world.chance.uniform(0.6, 0.9)
    world.upload(day, share)
    world.plan(world.chance.randint(1, 2), lambda: world.upload_rest(day, share))


def lose_source(world: World) -> None:
    """Make the source unavailable until the next day."""
    world.upload(world.today)
    source = world.installation.settings.source
    away = source.rename(source.with_name("source is away"))
    world.run_until_idle()
    away.rename(source)


def upload_few(world: World) -> None:
    """Upload a tenth of the day, which the checks refuse, and all of it the day after."""
    day = world.today
    world.upload(day, FEW)
    world.plan(1, lambda: world.upload(day))


def accept_few(world: World) -> None:
    """Upload a tenth of the day, and let it pass the day after."""
    day = world.today
    world.upload(day, FEW)
    world.accepted.add(day)
    world.plan(1, lambda: decide(world, day, Decision.ACCEPTED))


def withdraw_day(world: World) -> None:
    """Refuse the newest day that was delivered, and accept it again two days later."""
    day = max(world.records.current_days("prediction_cache"))
    world.withdrawn.add(day)
    decide(world, day, Decision.REFUSED)
    world.plan(2, lambda: decide(world, day, Decision.ACCEPTED))


def decide(world: World, day: dt.date, decision: Decision) -> None:
    """Decide about a day as the operator; there is nothing to accept that is not refused."""
    world.say(f"{world.today}: the operator: {day} is {decision}")
    installation = world.installation
    if decision is Decision.REFUSED or day in world.records.refused_days():
        decide_by_operator(day, decision, "rehearsed", OPERATOR, installation.lake,
                           installation.game)  # fmt: skip


def export_again(world: World) -> None:
    """Upload yesterday's files under other names, and remove those of the former names."""
    for file in world.installation.source(world.today - dt.timedelta(1)).glob("*.gz"):
        file.rename(file.with_name(f"again-{file.name}"))


def change_game_file(world: World) -> None:
    """Change the windows of features, and ask for a refresh after the sensor has reported it."""
    present = list(world.installation.game.windows)
    change_game(world.installation, {"windows": WINDOWS[present == WINDOWS[0]]})
    world.reload()
    requests = world.evaluate("raw_files")
    jobs = {request.job_name for request in requests} - {DELIVER_AGAIN}
    assert not jobs, f"days of two game files are mixed by {jobs}"
    request_refresh(world.installation.game, OPERATOR, world.installation.lake)


def install_release(world: World) -> None:
    """Leave all documents as the first release stored them, which is replaced by this one."""
    store_as_older_release(world.installation.lake)


def kill_run(world: World) -> None:
    """Kill a run of yesterday at any moment."""
    yesterday = world.today - dt.timedelta(1)
    process = world.start_run(yesterday, yesterday)
    process.join(world.chance.uniform(0.0, 4.0))
    process.kill()
    process.join()


def run_twice(world: World) -> None:
    """Run the last two days by hand while the sensors run the new one."""
    world.upload(world.today)
    process = world.start_run(world.today - dt.timedelta(2), world.today - dt.timedelta(1))
    world.run_until_idle()
    process.join(_LONGEST_RUN_SECONDS)
    assert process.exitcode is not None, "a run beside another one does not end"


def lose_cache(world: World) -> None:
    """Let Redis lose everything."""
    world.servers.empty_cache()


def restore_database(world: World) -> None:
    """Replace the results database by an older copy."""
    world.servers.restore()


def lose_receiver(world: World) -> None:
    """Let the receiver of offers be away until the next day."""
    world.servers.receiver.reply = lambda _: AWAY

    def come_back() -> None:
        world.servers.receiver.reply = lambda _: ACKNOWLEDGED

    world.plan(1, come_back)


EVENTS = (
    (
        Event("lost Redis", lose_cache),
        Event("restored results database", restore_database, times_per_year=4),
    ),
    (
        Event("delivered day, refused and accepted", withdraw_day, times_per_year=4),
        Event("re-export under other names", export_again),
        Event("changed game file", change_game_file, times_per_year=2),
        Event("new release", install_release, times_per_year=4),
        Event("killed run", kill_run, times_per_year=24),
    ),
    (
        Event("late files", upload_late, times_per_year=24),
        Event("outage of the source", lose_source),
        Event("refused day, replaced", upload_few),
        Event("refused day, accepted", accept_few, times_per_year=4),
        Event("two runs at once", run_twice),
    ),
    (Event("receiver of offers away", lose_receiver, times_per_year=12),),
)
"""Every kind of event, in groups of which one happens on a day at most: what the servers lose,
what happens to the installation, how the logs of the day arrive, and the receiver."""
