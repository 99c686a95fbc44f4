"""The same day on DuckDB, on a Spark of the process, and through Spark Connect.

Every day is the whole graph with default limits, in a process of its own, on a copy of the same
home. What it is built on is made before, by DuckDB, and not measured. Each Spark is new, as that of
a nightly run is: its first queries, and the start of its Python workers, are part of the day.
"""

import datetime as dt
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.bench_day import ASSETS
from benchmarks.bench_growth import ACCOUNTS, DAYS, GAME, HOME, YES, copy_users, simulate_game
from benchmarks.larger_games import link_folder
from benchmarks.measuring import Circumstances, Measured, run_child, say, values
from benchmarks.report import Goal, Row, absolute, ratio
from benchmarks.same_rows import find_difference
from benchmarks.subjects.day_parts import PEAK, SECONDS
from benchmarks.subjects.engine_day import LABELS, LABELS_FILE
from benchmarks.training_days import last_day
from ds_assets.game import load_game
from ds_assets.infra.lake.tables import table_file

DAY, DUCKDB = "subjects.engine_day", "duckdb"
ENGINES = {DUCKDB: "DuckDB", "spark": "Spark local[2]", "connect": "Spark Connect"}
TIMES, QUICK_TIMES = 100, 3
"""Copies of each of about 10,000 active users; 1,000 in a quick run."""
STEPS = ("user_activity", "user_features", "cohorts", LABELS, "predictions")
"""What the engine runs. Of the models it reads the labels, which are read once more to be timed."""
TABLES = (
    *("user_activity", "event_ids", "quarantine", "user_features"),
    *("cohorts", "clusters", "predictions"),
)
"""What is compared, with the labels. Clusters are made of the features, by the process."""
REALS, PREDICTED_REALS = 1e-9, 1e-6
"""How far reals may be from DuckDB's. Models compute with 32 bits."""
MAX_CLIENT_MB = Goal(comparison="<=", limit=3_000)

Days = Mapping[str, Sequence[Measured]]
"""What the days of each engine reported; nothing of an engine on which one failed."""
Differences = Mapping[tuple[str, str], Sequence[str]]
"""How the rows of each differ from DuckDB's in each round, by engine and table; empty if equal."""


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    times = QUICK_TIMES if circumstances.quick else TIMES
    game = simulate_game(circumstances.scratch, ACCOUNTS, DAYS, circumstances)
    say(f"  making {times} times the users")
    larger = copy_users(game, circumstances.scratch / "larger", times)
    days: dict[str, list[Measured]] = {engine: [] for engine in ENGINES}
    differences: dict[tuple[str, str], list[str]] = {}
    for number in range(circumstances.repetitions):
        round_folder = circumstances.round(number)
        homes = {engine: round_folder / engine for engine in ENGINES}
        measured = {engine: measure_day(engine, larger, home) for engine, home in homes.items()}
        for engine, runs in measured.items():
            days[engine] += runs
        passed = {engine: homes[engine] for engine, runs in measured.items() if runs}
        for key, difference in compare(passed, last_day(load_game(larger / GAME))).items():
            differences.setdefault(key, []).append(difference)
        shutil.rmtree(round_folder)
    complete = {
        engine: runs if len(runs) == circumstances.repetitions else []
        for engine, runs in days.items()
    }
    if not complete[DUCKDB]:
        raise ValueError("the day failed on DuckDB: there is nothing to compare with")
    return [*time_rows(complete), *memory_rows(complete), *equality_rows(complete, differences)]


def measure_day(engine: str, game: Path, home: Path) -> list[Measured]:
    """Run the last day of a game on an engine, on a copy of its home. Nothing if it failed."""
    link_folder(game / HOME, home)
    try:
        measured = run_child(DAY, [game, home, engine], home)
    except subprocess.CalledProcessError as error:
        say(f"    the day failed on {ENGINES[engine]}: {error}")
        return []
    say(f"    {ENGINES[engine]:<15} {json.dumps(measured)}")
    return [measured]


def compare(homes: Mapping[str, Path], day: dt.date) -> dict[tuple[str, str], str]:
    """Compare what each engine stored with what DuckDB did; nothing without its home."""
    if DUCKDB not in homes:
        return {}
    files = {engine: files_of(home, day) for engine, home in homes.items()}
    differences = {}
    for engine in files.keys() - {DUCKDB}:
        for table, file in files[engine].items():
            tolerance = PREDICTED_REALS if table == "predictions" else REALS
            difference = find_difference(file, files[DUCKDB][table], tolerance)
            differences[engine, table] = difference
            if difference:
                say(f"    {ENGINES[engine]}, {table}: {difference}")
    return differences


def files_of(home: Path, day: dt.date) -> dict[str, Path]:
    """The compared files of a home, by table."""
    tables = {table: home / "lake" / table_file(table, day) for table in TABLES}
    return tables | {LABELS: home / LABELS_FILE}


def time_rows(days: Days) -> Iterator[Row]:
    """Seconds of the day and of what its engine runs, and their ratio to DuckDB's."""
    yield absolute("active users", values(days[DUCKDB], "rows"), "users")
    for name, field in {"the day": "seconds", **{it: f"{SECONDS}{it}" for it in STEPS}}.items():
        control = values(days[DUCKDB], field)
        for engine, about in ENGINES.items():
            if not days[engine]:
                continue
            seconds = values(days[engine], field)
            yield absolute(f"{name}, {about}: time", seconds, "s")
            if engine != DUCKDB:
                yield ratio(f"{name}, {about}: time", seconds, ENGINES[DUCKDB], control)


def memory_rows(days: Days) -> Iterator[Row]:
    """Peak memory of the process of the graph, of Spark's own, and of each step of a client."""
    for engine, about in ENGINES.items():
        if not days[engine]:
            continue
        goal = MAX_CLIENT_MB if engine == "connect" else None
        peaks = values(days[engine], "peak_rss_mb")
        yield absolute(f"the day, {about}: peak memory of the graph's process", peaks, "MB", goal)
        if engine != DUCKDB:
            jvm, workers = (values(days[engine], it) for it in ("jvm_mb", "workers_mb"))
            yield absolute(f"the day, {about}: peak memory of the JVM", jvm, "MB")
            yield absolute(f"the day, {about}: peak memory of its Python workers", workers, "MB")
    client = days["connect"]
    for step in (*ASSETS, LABELS) if client else ():
        peaks = values(client, f"{PEAK}{step}")
        yield absolute(f"{step}, Spark Connect: peak memory of the graph's process", peaks, "MB")


def equality_rows(days: Days, differences: Differences) -> Iterator[Row]:
    """Whether the day passed on each engine, and whether it stored what DuckDB did."""
    for engine, about in ENGINES.items():
        passed = float(bool(days[engine]))
        yield absolute(f"{about}: the day passes", [passed], "1 is yes", YES)
        for table in (*TABLES, LABELS):
            if engine == DUCKDB or not days[engine]:
                continue
            same = [float(not it) for it in differences[engine, table]]
            yield absolute(f"{about}: the same {table} as DuckDB's", same, "1 is yes", YES)
