"""From raw logs to features: 5,000,000 events of 30 days, compared with scripts for clean logs.

The scripts rely on clean logs, and compute no lifetimes; the project checks each line, and finds
that they are clean.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from benchmarks.measuring import Arguments, Circumstances, Measured, interleave, made_logs, values
from benchmarks.report import Goal, Row, ratio
from benchmarks.subjects.activity_features import GAME_FILE
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import user_activity_table, user_features_table
from ds_assets.core.schema import Column, Table
from ds_assets.game import Game, load_game

EVENTS = 5_000_000
DAYS = 30
SUBJECT = "subjects.activity_features"
CONTROLS: dict[str, tuple[float | None, float | None]] = {
    "DuckDB": (1.25, 1.25),
    "Polars": (1.0, None),
    "pandas": (0.15, 1.0),
    "pandas_pyarrow": (None, None),
}
"""Most time and most memory, as shares of each control's."""
TOLERANCE = 1e-9
"""Of sums, whose last digits depend on the order of their terms."""


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure, and compare the results with those of the DuckDB script."""
    logs = made_logs(EVENTS, DAYS, circumstances)
    modules = [SUBJECT, *map(_module, CONTROLS)]
    measured = interleave(
        {module: _in_and_out(logs, module) for module in modules},
        circumstances,
    )
    rows = []
    for name, (time_limit, memory_limit) in CONTROLS.items():
        control = measured[_module(name)]
        rows += _rows(name, measured[SUBJECT], control, time_limit, memory_limit)
    folder = circumstances.last_round
    return [*rows, _differences(folder / SUBJECT, folder / _module("DuckDB"))]


def _in_and_out(logs: Path, module: str) -> Arguments:
    return lambda folder: [logs, folder / module]


def _module(control: str) -> str:
    return f"controls.{control.lower()}_script"


def _rows(
    name: str,
    ours: list[Measured],
    control: list[Measured],
    time_limit: float | None,
    memory_limit: float | None,
) -> list[Row]:
    limits = {"seconds": time_limit, "memory_mb": memory_limit}
    return [
        ratio(
            words,
            values(ours, key),
            f"{name.replace('_', ' + ')} script",
            values(control, key),
            None if (limit := limits[key]) is None else Goal(comparison="<=", limit=limit),
        )
        for words, key in (("time", "seconds"), ("memory", "memory_mb"))
    ]


def _differences(ours: Path, control: Path) -> Row:
    game = load_game(GAME_FILE)
    tables = user_activity_table(game), _features_of_controls(game)
    differences = [different_rows(table, ours, control) for table in tables]
    return Row(
        name="rows that differ",
        value=sum(differences),
        unit="rows",
        control="DuckDB script",
        goal=Goal(comparison="=", limit=0),
        values=list(map(float, differences)),
    )


def _features_of_controls(game: Game) -> Table:
    """`user_features` without the lifetimes, which the controls do not compute."""
    table = user_features_table(game)
    lifetimes = {feature.name for feature in declare_features(game) if feature.is_of_lifetime}
    return replace(table, columns=tuple(it for it in table.columns if it.name not in lifetimes))


def different_rows(table: Table, ours: Path, control: Path) -> int:
    """Rows of a table that are not the same in two lakes, or in one of them only.

    Raises:
        ValueError: a lake has none.
    """
    with duckdb.connect() as connection:
        for name, lake in {"ours": ours, "theirs": control}.items():
            connection.execute(f"CREATE VIEW {name} AS {_stored(table, lake)}")
            if not connection.table(name).limit(1).fetchall():
                raise ValueError(f"{name}: there are no rows of {table.name} in {lake}")
        counts = connection.sql(_different(table)).fetchall()
    return int(counts[0][0])


def _different(table: Table) -> str:
    return f"""
        SELECT count(*) FROM ours FULL JOIN theirs USING (day, {", ".join(table.key)})
        WHERE ours.filename IS NULL OR theirs.filename IS NULL
            OR NOT ({" AND ".join(map(_same, table.columns))})"""


def _stored(table: Table, lake: Path) -> str:
    return f"""
        SELECT *, regexp_extract(filename, 'dt=([0-9-]+)', 1) AS day
        FROM read_parquet('{lake}/{table.name}/dt=*/*.parquet',
                          filename = true, hive_partitioning = false)"""


def _same(column: Column) -> str:
    ours, theirs = f"ours.{column.name}", f"theirs.{column.name}"
    equal = f"{ours} IS NOT DISTINCT FROM {theirs}"
    if column.type != "real":
        return f"({equal})"
    near = f"abs({ours} - {theirs}) <= {TOLERANCE} * greatest(1, abs({theirs}))"
    return f"({equal} OR coalesce({near}, false))"
