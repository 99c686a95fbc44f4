import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from rich.console import Console

from benchmarks import bench_quality, judging
from benchmarks.__main__ import names
from benchmarks.bench_activity_features import different_rows
from benchmarks.judging import area, area_difference, calibration_error, share_of_best
from benchmarks.measuring import ROOT, Circumstances, environment_of_a_child, interleave
from benchmarks.report import Goal, Row, absolute, print_report, ratio, report_of, write_report
from ds_assets.core.tables import Column, Table
from ds_assets.simulate.game_file import HORIZON_DAYS

AT_MOST_ONE = Goal(comparison="<=", limit=1.0)


def written(rows: list[Row], folder: Path) -> dict[str, Any]:
    content = json.loads(write_report(report_of("some", rows), folder).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def test_a_report_says_what_was_measured_where_when_and_with_what(tmp_path: Path) -> None:
    content = written([absolute("speed", [2.0], "1/s")], tmp_path / "results")
    assert (tmp_path / "results" / "some.json").is_file()
    assert set(content) == {"benchmark", "rows", "machine", "versions", "commit", "time"}
    assert set(content["machine"]) == {"cores", "cpu", "memory_gb", "system"}
    assert {"python", "dagster", "duckdb", "pandas"} <= set(content["versions"])


def test_a_row_keeps_every_value_of_both_sides(tmp_path: Path) -> None:
    row = ratio("time", [1.0, 9.0, 2.0], "plain", [4.0, 5.0, 4.0], AT_MOST_ONE)
    assert written([row], tmp_path)["rows"] == [
        {
            "name": "time",
            "value": 0.5,
            "unit": "ratio",
            "control": "plain",
            "goal": {"comparison": "<=", "limit": 1.0},
            "values": [1.0, 9.0, 2.0],
            "control_values": [4.0, 5.0, 4.0],
            "holds": True,
        }
    ]


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("<=", True, True, False),
        ("<", True, False, False),
        (">=", False, True, True),
        (">", False, False, True),
        ("=", False, True, False),
    ],
)
def test_a_goal_holds_on_its_side_of_the_limit(
    comparison: Any, below: bool, equal: bool, above: bool
) -> None:
    goal = Goal(comparison=comparison, limit=2.0)
    assert [goal.holds(value) for value in (1.0, 2.0, 3.0)] == [below, equal, above]


def test_a_row_without_a_goal_neither_holds_nor_fails() -> None:
    assert absolute("memory", [3.0], "MB").holds is None


def test_the_table_marks_a_goal_that_does_not_hold() -> None:
    console = Console(record=True, width=120)
    rows = [ratio("time", [3.0], "plain", [2.0], AT_MOST_ONE)]
    print_report(report_of("some", rows), console)
    line = next(line for line in console.export_text().splitlines() if "time" in line)
    assert [cell.strip() for cell in line.strip("│ ").split("│")] == [
        *("time", "1.5", "ratio", "plain", "<= 1", "no"),
    ]


TABLE = Table(
    "some", (Column("user_id", "text", ""), Column("spend", "real", "", True)), ("user_id",)
)


def lake(root: Path, spend: dict[str, float | None], day: str = "2026-01-01") -> Path:
    folder = root / "some" / f"dt={day}"
    folder.mkdir(parents=True)
    parquet.write_table(
        pa.table({"user_id": list(spend), "spend": pa.array(spend.values(), pa.float64())}),
        folder / "some.parquet",
    )
    return root


@pytest.mark.parametrize(
    ("theirs", "different"),
    [
        ({"a": 1.0, "b": None}, 0),
        ({"a": 1.0 + 1e-12, "b": None}, 0),
        ({"a": 1.0 + 1e-6, "b": None}, 1),
        ({"a": None, "b": None}, 1),
        ({"a": 1.0, "b": 0.0}, 1),
        ({"a": 1.0}, 1),
        ({"a": 1.0, "c": None}, 2),
    ],
)
def test_rows_that_differ_in_two_lakes_are_counted(
    theirs: dict[str, float | None], different: int, tmp_path: Path
) -> None:
    ours = lake(tmp_path / "ours", {"a": 1.0, "b": None})
    assert different_rows(TABLE, ours, lake(tmp_path / "theirs", theirs)) == different


def test_the_same_rows_on_another_day_differ(tmp_path: Path) -> None:
    ours = lake(tmp_path / "ours", {"a": 1.0})
    theirs = lake(tmp_path / "theirs", {"a": 1.0}, "2026-01-02")
    assert different_rows(TABLE, ours, theirs) == 2


def test_every_benchmark_is_found_by_its_file_name() -> None:
    assert {"activity_features", "dagster_overhead", "simulator"} <= set(names())


@pytest.mark.slow
def test_contestants_of_a_round_share_a_folder_and_say_time_and_memory(tmp_path: Path) -> None:
    simulate, compress = "subjects.simulate_game", "controls.compress_alone"
    found = interleave(
        {
            simulate: lambda folder: ["20", "2", folder / "game"],
            compress: lambda folder: [folder / "game" / "source"],
        },
        Circumstances(repetitions=1, logs=tmp_path / "logs", scratch=tmp_path),
    )
    assert set(found[simulate][0]) == {"seconds", "peak_rss_mb", "memory_mb", "events", "lines"}
    assert found[compress][0]["bytes"] > 0


def test_an_installations_settings_do_not_reach_what_is_measured() -> None:
    found = environment_of_a_child({"DS_ASSETS_THREADS": "9", "DAGSTER_HOME": "x", "PATH": "/bin"})
    assert found == {"PATH": "/bin", "PYTHONPATH": str(ROOT)}


def test_quality_is_found_by_its_file_name_and_its_days_have_a_future() -> None:
    assert "quality" in names()
    assert max(bench_quality.JUDGED) + HORIZON_DAYS < bench_quality.DAYS
    assert max(bench_quality.GROUP_JUDGED) + HORIZON_DAYS < bench_quality.GROUP_DAYS
    changed = bench_quality.CHANGE_JUDGED
    assert max(changed.values()) + HORIZON_DAYS < bench_quality.CHANGE_DAYS
    assert changed["before"] + HORIZON_DAYS < bench_quality.CHANGE_DAY
    assert changed["two weeks after"] == bench_quality.CHANGE_DAY + 13


def test_probabilities_that_come_true_are_calibrated_and_doubled_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    told = rng.uniform(0, 0.5, 100_000)
    came = rng.random(100_000) < told
    assert calibration_error(came, told) < 0.01
    assert calibration_error(came, 2 * told) == pytest.approx(0.25, abs=0.01)
    assert calibration_error(came, np.full(100_000, came.mean())) < 0.01


def test_the_share_of_the_best_goes_from_chance_to_the_truth() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(20_000)
    came = rng.random(20_000) < truth
    assert share_of_best(came, truth, truth) == 1.0
    assert share_of_best(came, rng.random(20_000), truth) == pytest.approx(0, abs=0.05)
    assert 0.5 < share_of_best(came, truth + rng.normal(0, 0.3, 20_000), truth) < 0.95


def test_scores_are_judged_by_their_order_alone() -> None:
    came = np.array([False, True, False, True])
    assert area(came, np.array([-np.inf, 3.0, -np.inf, 0.5])) == 1.0
    assert area(came, np.array([1.0, 1.0, 1.0, 1.0])) == 0.5


def test_a_difference_is_sure_only_where_the_users_agree_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "RESAMPLES", 60)
    rng = np.random.default_rng(0)
    truth = rng.random(1000)
    came = rng.random(1000) < truth
    level = area_difference(came, truth, truth)
    assert (level.value, level.low, level.high) == (0, 0, 0)
    better = area_difference(came, truth, rng.random(1000))
    assert 0 < better.low < better.value < better.high


@pytest.mark.slow
def test_quality_of_a_small_game_is_measured_against_its_truth(tmp_path: Path) -> None:
    rows = list(bench_quality.simulated_rows(tmp_path / "game", 1200, 53, [45]))
    assert [row.unit for row in rows] == ["share", "ECE"] * 2
    found = [(row.unit, row.value or 0) for row in rows]
    assert all(0.5 < share < 1.1 for unit, share in found if unit == "share"), found
    assert all(0 < error < 0.2 for unit, error in found if unit == "ECE"), found
