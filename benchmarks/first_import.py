"""The first import of a game's history: all days in one run, interrupted and continued.

Scope: the part `import` of `bench_growth`.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.measuring import run_child, say, start_child
from benchmarks.report import Goal, Row, absolute, ratio

IMPORT = "subjects.first_import"
SAME = Goal(comparison="=", limit=0)
_POLL_SECONDS = 0.05


def import_rows(game: Path, days: int) -> Iterator[Row]:
    """Import all days of a game once, and once killed half-way and continued.

    Args:
        game: Folder with its logs and its game file.
        days: How many days it has.
    """
    whole, resumed = game / "whole", game / "resumed"
    say(f"  importing {days} days")
    run = run_child(IMPORT, [game, whole], game)
    say(f"  importing them again, killed half-way ({run})")
    killed = _kill_half_way(game, resumed, days)
    rest = run_child(IMPORT, [game, resumed], game)
    seconds = killed + rest["seconds"]
    yield absolute(f"import of {days} days: time", [run["seconds"]], "s")
    yield absolute(f"import of {days} days: events", [run["events"]], "events")
    yield absolute("events a second", [round(run["events"] / run["seconds"])], "1/s")
    yield absolute("peak memory", [run["peak_rss_mb"]], "MB")
    yield ratio("killed half-way and continued: time", [seconds], "without", [run["seconds"]])
    differing = len(differing_tables(whole / "lake", resumed / "lake"))
    yield absolute("killed half-way: stored days that differ", [differing], "days", SAME)


def _kill_half_way(game: Path, home: Path, days: int) -> float:
    """Import days until half of them are read, and return how long that took, in seconds.

    Raises:
        ValueError: The import ended before.
    """
    begun = time.perf_counter()
    with start_child(IMPORT, [game, home], game) as child:
        try:
            while len(list((home / "lake" / "user_activity").glob("dt=*"))) < days // 2:
                if child.poll() is not None:
                    raise ValueError("the import ended before it was interrupted")
                time.sleep(_POLL_SECONDS)
        finally:
            child.kill()
    return time.perf_counter() - begun


def differing_tables(lake: Path, other: Path) -> list[str]:
    """Names of the tables' files that two lakes do not both have, with the same rows."""
    names, others = (_tables(folder) for folder in (lake, other))
    with duckdb.connect() as connection:
        differing = {name for name in names & others if _differ(name, lake, other, connection)}
    return sorted(differing | (names ^ others))


def _tables(lake: Path) -> set[str]:
    return {str(file.relative_to(lake)) for file in lake.rglob("dt=*/*.parquet")}


def _differ(name: str, lake: Path, other: Path, connection: duckdb.DuckDBPyConnection) -> bool:
    ours, theirs = (
        f"(FROM read_parquet('{folder / name}', hive_partitioning = false))"
        for folder in (lake, other)
    )
    query = f"({ours} EXCEPT ALL {theirs}) UNION ALL ({theirs} EXCEPT ALL {ours})"
    return bool(connection.execute(f"{query} LIMIT 1").fetchall())
