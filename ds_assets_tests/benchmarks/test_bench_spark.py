"""The same day on several engines: what is compared, and the rows made from it."""

import datetime as dt
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from benchmarks import bench_spark
from benchmarks.bench_day import ASSETS
from benchmarks.bench_growth import HOME
from benchmarks.bench_spark import (
    ENGINES,
    STEPS,
    TABLES,
    compare,
    equality_rows,
    files_of,
    memory_rows,
    time_rows,
)
from benchmarks.measuring import Circumstances, Measured
from benchmarks.report import Row
from benchmarks.subjects.day_parts import PEAK, SECONDS
from benchmarks.subjects.engine_day import LABELS
from ds_assets_tests.spark import spark_defaults

DAY = dt.date(2026, 3, 1)
QUICK = Circumstances(repetitions=1, logs=Path(), scratch=Path(), quick=True)


def make_run(seconds: float, peak_mb: float = 900.0) -> Measured:
    steps = {f"{SECONDS}{step}": seconds / 10 for step in STEPS}
    peaks = {f"{PEAK}{step}": peak_mb for step in (*ASSETS, LABELS)}
    memory = {"peak_rss_mb": peak_mb, "jvm_mb": 1500.0, "workers_mb": 400.0}
    return {"seconds": seconds, "rows": 3000.0, **memory, **steps, **peaks}


def make_days(**runs: list[Measured]) -> dict[str, list[Measured]]:
    return {engine: [make_run(20.0)] for engine in ENGINES} | runs


def row_of(rows: Sequence[Row], name: str, unit: str) -> Row:
    (row,) = (it for it in rows if it.name == name and it.unit == unit)
    return row


def test_a_time_is_a_ratio_to_that_of_duckdb() -> None:
    rows = list(time_rows(make_days(duckdb=[make_run(10.0)], connect=[make_run(50.0)])))
    assert row_of(rows, "the day, Spark Connect: time", "ratio").value == 5.0
    assert row_of(rows, "labels, Spark local[2]: time", "ratio").value == 2.0
    assert row_of(rows, "labels, Spark local[2]: time", "s").value == 2.0
    assert not [row for row in rows if row.unit == "ratio" and "DuckDB" in row.name]


@pytest.mark.parametrize(("peak_mb", "holds"), [(2999.0, True), (3001.0, False)])
def test_the_memory_of_the_client_of_a_server_has_a_goal(peak_mb: float, holds: bool) -> None:
    rows = list(memory_rows(make_days(connect=[make_run(20.0, peak_mb)])))
    name = "the day, Spark Connect: peak memory of the graph's process"
    assert row_of(rows, name, "MB").holds is holds
    assert [row.name for row in rows if row.goal] == [name]
    jvm = "the day, Spark local[2]: peak memory of the JVM"
    assert row_of(rows, jvm, "MB").value == 1500.0


def test_a_table_that_differs_in_one_round_misses_its_goal() -> None:
    differences: dict[tuple[str, str], list[str]] = {
        (engine, table): ["", ""] for engine in ("spark", "connect") for table in (*TABLES, LABELS)
    }
    differences["connect", "cohorts"] = ["2 rows, not 3", "2 rows, not 3"]
    rows = list(equality_rows(make_days(), differences))
    missed = [row.name for row in rows if row.holds is False]
    assert missed == ["Spark Connect: the same cohorts as DuckDB's"]
    assert {row.holds for row in rows} == {True, False}


def test_an_engine_on_which_the_day_fails_misses_a_goal_and_the_others_stay() -> None:
    days = make_days(spark=[])
    passed = list(equality_rows(days, {("connect", it): [""] for it in (*TABLES, LABELS)}))
    assert [row.name for row in passed if not row.holds] == ["Spark local[2]: the day passes"]
    rows = [*time_rows(days), *memory_rows(days)]
    assert not [row for row in rows if "local[2]" in row.name]
    assert [row for row in rows if "Connect" in row.name]


def store(home: Path, spend: float) -> None:
    for file in files_of(home, DAY).values():
        file.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.table({"user_id": ["a"], "spend": [spend]}), file)


def test_predictions_may_differ_as_numbers_of_32_bits_and_all_else_may_not(tmp_path: Path) -> None:
    homes = {engine: tmp_path / engine for engine in ENGINES}
    for home, spend in zip(homes.values(), (1.0, 1.0, 1.0 + 1e-7), strict=True):
        store(home, spend)
    differences = compare(homes, DAY)
    assert {key for key, it in differences.items() if it} == {
        ("connect", table) for table in (*TABLES, LABELS) if table != "predictions"
    }
    assert {engine for engine, _ in differences} == {"spark", "connect"}
    assert compare({"spark": homes["spark"]}, DAY) == {}


def test_a_day_that_ends_with_an_error_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_child(module: str, *_: object) -> Measured:
        raise subprocess.CalledProcessError(-9, module)

    (tmp_path / "game" / HOME).mkdir(parents=True)
    monkeypatch.setattr(bench_spark, "run_child", run_child)
    assert bench_spark.measure_day("spark", tmp_path / "game", tmp_path / "home") == []


@pytest.mark.slow
@pytest.mark.server
def test_each_engine_runs_the_day_and_stores_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {"ACCOUNTS": 4_000, "DAYS": 40, "QUICK_TIMES": 2}
    for name, value in changes.items():
        monkeypatch.setattr(bench_spark, name, value)
    (tmp_path / "scratch").mkdir()
    with spark_defaults(tmp_path / "conf"):
        rows = bench_spark.run(QUICK.within(tmp_path / "scratch"))
    assert [row.name for row in rows if row.holds is False] == []
    workers = [row.value for row in rows if row.name.endswith("Python workers")]
    assert len(workers) == 2
    assert all(workers)
    assert not (tmp_path / "scratch" / "round-0").exists()
