"""The simulation as a whole: day after day from the game to the files.

Scope: the order of steps, threads, files and folders.
"""

import datetime as dt
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from isal import igzip

from ds_assets.simulate.events import Events, Floats, Kind
from ds_assets.simulate.game_file import ACTIVE_DAYS, HORIZON_DAYS, game_file
from ds_assets.simulate.lines import LineWriter, user_ids
from ds_assets.simulate.mess import Delivery
from ds_assets.simulate.offer_plan import NO_OFFERS, OfferPlan
from ds_assets.simulate.options import Injected, SimulationOptions, SimulationSummary
from ds_assets.simulate.play import SimulatedGame
from ds_assets.simulate.responses import OfferedUsers, OfferKind, offers_in_effect, offers_to_all
from ds_assets.simulate.truth import Oracle
from ds_assets.simulate.world import build_world

ProgressCallback = Callable[[int], None]
"""Called after each day with the number of days done."""
LINES_A_FILE = 50_000
THREADS = 2
"""Threads that make text and compress it; the files do not depend on their number."""


class Simulation:
    """A game that is simulated day by day; what it holds between two days is O(users).

    Used as a context manager, which writes everything before it ends. The folder must not hold a
    simulated game; `simulate` describes what is written.

    Raises:
        ValueError: `out` already holds a simulated game.
    """

    def __init__(self, options: SimulationOptions, out: Path) -> None:
        world = build_world(options)
        self._options, self._out = options, out
        self._game = SimulatedGame(world, options.seed)
        self._oracle = Oracle(world, HORIZON_DAYS, ACTIVE_DAYS)
        self._delivery = Delivery(options)
        self._writer = LineWriter(world)
        self._user_ids = user_ids(world.users)
        self._days = 0
        self._events = 0
        self._kinds = np.zeros(len(Kind), np.int64)
        self._new_fields = 0
        self._unfinished: list[Future[None]] = []
        _prepare(options, out)
        self._pool = ThreadPoolExecutor(THREADS)

    def __enter__(self) -> Self:
        """Return the simulation."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until everything is written."""
        self._pool.shutdown()
        self.finish()

    @property
    def next_day(self) -> dt.date:
        """The day that is simulated next."""
        return self._options.start + dt.timedelta(self._days)

    def run_day(self, offered: OfferedUsers = MappingProxyType({})) -> None:
        """Play the next day, and write its logs and its truth while the following day is played.

        Args:
            offered: Users with an offer in effect on this day.

        Raises:
            ValueError: all days of the options are over, or an offer is for an unknown user.
        """
        day = self._days
        if day == self._options.days:
            raise ValueError(f"days: found {day + 1}; up to {day} are accepted")
        offers = offers_in_effect(offered, self._user_ids)
        players, events = self._game.play(day, self._oracle.next_law(), offers)
        self._events += len(events)
        self._oracle.observe(players, offers)
        arrived = self._delivery.deliver(day, events)
        self.finish()  # at most one day waits to be written
        if arrived is not None:
            self._count(arrived)
            self._write_logs(day, arrived)
        self._write_truth(day)
        self._days += 1

    def finish(self) -> None:
        """Wait until the days so far are written."""
        for future in self._unfinished:
            future.result()
        self._unfinished = []

    def summary(self, seconds: float) -> SimulationSummary:
        """What was written so far."""
        kinds = {kind.name.lower(): int(self._kinds[kind]) for kind in Kind if kind}
        return SimulationSummary(
            days=self._days,
            events=self._events,
            lines=int(self._kinds.sum()),
            injected=Injected(
                **kinds,
                new_fields=self._new_fields,
                missing_days=len(set(self._options.missing_days)),
                lost=self._delivery.lost,
                in_transit=self._delivery.in_transit,
            ),
            seconds=seconds,
        )

    def _count(self, rows: Events) -> None:
        self._kinds += np.bincount(rows["kind"], minlength=len(Kind))
        self._new_fields += int(np.count_nonzero(rows["app"]))

    def _write_logs(self, day: int, rows: Events) -> None:
        folder = self._out / "source" / self._partition(day)
        folder.mkdir(parents=True)
        # A day on which nobody played has a file without lines: it is not a missing day.
        for number, first in enumerate(range(0, max(len(rows), 1), LINES_A_FILE)):
            path = folder / f"events-{number:03}.jsonl.gz"
            part = rows[first : first + LINES_A_FILE]
            self._unfinished.append(self._pool.submit(self._write_file, path, part, day))

    def _write_file(self, path: Path, rows: Events, day: int) -> None:
        path.write_bytes(igzip.compress(self._writer.text(rows, day), 2, mtime=0))

    def _write_truth(self, day: int) -> None:
        users = self._oracle.active_users()
        table = pa.table(
            {"user_id": self._user_ids.take(pa.array(users))}
            | {name: values[users] for name, values in self._true_columns().items()}
        )
        path = self._out / "truth" / f"{self._partition(day)}.parquet"
        self._unfinished.append(self._pool.submit(pq.write_table, table, path))

    def _true_columns(self) -> dict[str, Floats]:
        """Columns of the truth, an array of shape (users,) each."""
        oracle = self._oracle
        columns = {"churn_probability": oracle.churn(), "payment_probability": oracle.payment()}
        if self._options.effects:
            columns["expected_spend"] = oracle.spend()
            for kind in OfferKind:
                offers = offers_to_all(kind, len(self._user_ids))
                columns[f"churn_probability_{kind}"] = oracle.churn(offers)
                columns[f"payment_probability_{kind}"] = oracle.payment(offers)
                columns[f"expected_spend_{kind}"] = oracle.spend(offers)
        return columns

    def _partition(self, day: int) -> str:
        return f"dt={self._options.start + dt.timedelta(day)}"


def simulate(
    options: SimulationOptions,
    out: Path,
    progress: ProgressCallback | None = None,
    plan: OfferPlan = NO_OFFERS,
) -> SimulationSummary:
    """Simulate a game and write its logs, its `game.yaml` and the truth about it.

    Args:
        options: Size of the game and mess in its logs.
        out: Folder to write into: `source/dt=D/events-NNN.jsonl.gz` by arrival day, `game.yaml`,
            `truth/dt=D.parquet` (user_id, churn_probability, payment_probability for each user
            active at the end of D, from the game as it was played: mess does not change it). With
            the option `effects` also expected_spend, and all three under an offer of each kind
            that is in effect for the whole horizon, such as churn_probability_retention.
        progress: Called after each day with the number of days done.
        plan: The offers in effect on each day.

    Raises:
        ValueError: `out` already holds a simulated game, or an offer is for an unknown user.
    """
    began = time.perf_counter()
    with Simulation(options, out) as simulation:
        for day in range(options.days):
            simulation.run_day(plan.users_of(simulation.next_day))
            if progress is not None:
                progress(day + 1)
    return simulation.summary(time.perf_counter() - began)


def _prepare(options: SimulationOptions, out: Path) -> None:
    for name in ("source", "truth"):
        if (out / name).exists():
            raise ValueError(f"out: found {out / name}; a folder without it is accepted")
    for name in ("source", "truth"):
        (out / name).mkdir(parents=True)
    (out / "game.yaml").write_text(game_file(options), encoding="utf-8")
