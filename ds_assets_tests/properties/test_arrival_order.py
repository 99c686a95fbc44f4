"""The order in which days arrive and are made changes neither activity nor features.

Days of random events, many of which arrive more than once, are made in any order and in any runs,
some of them killed, some with a part of their files. What is stored in the end is compared with
days that came whole and in order.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ds_assets.assets import user_activity, user_features
from ds_assets.core.game_settings import ACTIVITY, FEATURES
from ds_assets.core.lineage import lineage_of
from ds_assets.core.verdicts import Decision
from ds_assets.game import Events
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import day_folder
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.provenance import recorded
from ds_assets.infra.lake.raw_logs import RAW, raw_objects
from ds_assets.infra.lake.tables import table_file
from ds_assets_tests.core.factories import FIRST_DAY, make_game
from ds_assets_tests.core.test_features import engine

DAYS = [FIRST_DAY + dt.timedelta(days=number) for number in range(6)]
GAME = make_game(
    logs={"duplicate_days": 2},
    checks={"min_event_share": 0.0, "max_lost_user_share": 1.0},  # depend on the days before
    fields={"user_id": "user", "event_time": "time", "event_type": "type", "event_id": "id"},
    events=Events(activity=("play",), sessions=("play",)),
    active_days=2,
    windows=(1, 3),
)
LINEAGES = lineage_of(GAME)

Lines = Mapping[dt.date, Sequence[str]]
"""The lines that arrive on each day."""


class Run(NamedTuple):
    """A run of consecutive days, given by their numbers.

    Attributes:
        first: The first day.
        length: Number of days.
        is_partial: Whether only every other line of its days has arrived.
        stores: Tables that are stored before the run is killed; none if it is not.
    """

    first: int
    length: int
    is_partial: bool
    stores: int | None


class KilledEngine:
    """An engine whose process is killed after it has stored a number of tables."""

    def __init__(self, engine: LakeEngine, stores: int) -> None:
        self._engine = engine
        self._stores = stores

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def store(self, *args: Any) -> dict[dt.date, int]:
        if not self._stores:
            raise KeyboardInterrupt
        self._stores -= 1
        return self._engine.store(*args)


class Operation:
    """A lake, and what is run on it."""

    def __init__(self, folder: Path, lines: Lines) -> None:
        self.lake = FolderLake(folder)
        self.lines = lines

    def write(self, days: Iterable[dt.date], step: int = 1) -> None:
        """Let the lines of days arrive, or every other one of them."""
        for day in days:
            text = "".join(f"{line}\n" for line in self.lines[day][::step])
            self.lake.write(f"{day_folder(RAW, day)}/a.jsonl", text.encode())

    def run(self, days: Sequence[dt.date], engine: LakeEngine | None = None) -> None:
        """Make activity of days."""
        recording = recorded(ACTIVITY, days, LINEAGES, self.lake, "run")
        user_activity.update(days, recording, self.lake, engine or shared_engine(), GAME)

    def make_features(self, days: Collection[dt.date]) -> None:
        usable = sorted(set(days) - open_records(GAME, self.lake).refused_days())
        with recorded(FEATURES, usable, LINEAGES, self.lake, "run"):
            user_features.materialize_days(usable, self.lake, shared_engine(), GAME)

    def settle(self) -> None:
        """Make the days that have changed or are outdated, as the sensor does.

        A day whose activity is made again has features again, too: checks may let it pass now.
        """
        records = open_records(GAME, self.lake)
        records.refresh_raw_content({day: raw_objects(day, self.lake) for day in DAYS})
        remade: set[dt.date] = set()
        for _ in range(5 * len(DAYS)):
            records = open_records(GAME, self.lake)
            outdated = set(DAYS) - records.current_days(ACTIVITY)
            if not outdated:
                break
            remade.add(min(outdated))
            self.run([min(outdated)])
        assert not outdated
        self.make_features(remade.union(records.outdated_days(FEATURES)))

    def stored(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of activity and of the features that are used, by table and day."""
        refused = open_records(GAME, self.lake).refused_days()
        names = [table_file(ACTIVITY, day) for day in DAYS]
        names += [table_file(FEATURES, day) for day in DAYS if day not in refused]
        files = {name: self.lake.local(name) for name in names}
        return {
            name: parquet.read_table(file, partitioning=None).to_pylist()
            for name, file in files.items()
        }


def shared_engine() -> LakeEngine:
    return engine()


def make_lines(events: Iterable[tuple[int, int, Collection[int]]]) -> Lines:
    """Lines of events, given by user, number of the day, and the days after it that they arrive on.

    Each day has an event of its own, too.
    """
    own = [(9, number, [0]) for number in range(len(DAYS))]
    lines: dict[dt.date, list[str]] = {day: [] for day in DAYS}
    for key, (user, dated, arrivals) in enumerate([*own, *events]):
        line = {"id": key, "user": f"u{user}", "time": f"{DAYS[dated]} 12:00:00", "type": "play"}
        for later in arrivals:
            if dated + later < len(DAYS):
                lines[DAYS[dated + later]].append(json.dumps(line))
    return lines


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, len(DAYS) - 1),
        st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True),
    ),
    min_size=3,
    max_size=12,
)
RUNS = st.lists(
    st.builds(
        Run,
        first=st.integers(0, len(DAYS) - 1),
        length=st.integers(1, 3),
        is_partial=st.booleans(),
        stores=st.none() | st.integers(0, 2),
    ),
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=6)
@given(
    events=EVENTS,
    runs=RUNS,
    order=st.permutations(DAYS),
    refused=st.sets(st.sampled_from(DAYS), max_size=2),
)
def test_days_in_any_order_end_as_if_they_had_come_in_order(
    events: list[tuple[int, int, list[int]]],
    runs: list[Run],
    order: list[dt.date],
    refused: set[dt.date],
) -> None:
    lines = make_lines(events)
    with TemporaryDirectory() as folder:
        in_order = Operation(Path(folder) / "in order", lines)
        for day in DAYS:
            in_order.write([day])
            in_order.run([day])
            refuse(in_order, refused & {day})
        in_order.make_features(DAYS)
        operation = Operation(Path(folder) / "any order", lines)
        for run in runs:
            days = DAYS[run.first : run.first + run.length]
            operation.write(days, step=2 if run.is_partial else 1)
            with suppress(KeyboardInterrupt):
                stores = len(DAYS) if run.stores is None else run.stores
                operation.run(days, KilledEngine(shared_engine(), stores))
        for day in order:
            operation.write([day])
            operation.run([day])
        operation.make_features(DAYS)
        operation.settle()
        for day in sorted(refused):
            refuse(operation, {day})
            operation.settle()
        assert operation.stored() == in_order.stored()


def refuse(operation: Operation, days: Iterable[dt.date]) -> None:
    for day in days:
        decide_by_operator(day, Decision.REFUSED, "a test", "anna", operation.lake, GAME)
