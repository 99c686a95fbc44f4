import datetime as dt
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import Popen
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from rich.console import Console

import benchmarks.__main__
from benchmarks import bench_quality, bench_serving, loads, questions, validation
from benchmarks.__main__ import main, names, parse_arguments
from benchmarks.bench_activity_features import different_rows
from benchmarks.loads import Target, ask_at, redis_rate, saturate
from benchmarks.measuring import (
    ROOT,
    Circumstances,
    environment_of_a_child,
    interleave,
    made_once,
    run_child,
)
from benchmarks.report import (
    Goal,
    Row,
    absolute,
    not_run,
    print_report,
    ratio,
    report_of,
    write_report,
)
from benchmarks.validation import (
    area,
    area_difference,
    calibration_error,
    normalized_gini,
    share_of_best,
)
from ds_assets.core.schema import Column, Table
from ds_assets.demo.source import GAME_FILE
from ds_assets.game import load_game
from ds_assets.local_servers.redis import RedisServer
from ds_assets.serving.http.protocol import PredictionsRequest, ScoreRequest
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
            "place": None,
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


def test_what_was_not_run_neither_holds_nor_fails_and_says_so(tmp_path: Path) -> None:
    row = not_run("speed", "a peer", AT_MOST_ONE)
    assert row.holds is None
    assert written([row], tmp_path)["rows"][0]["value"] is None
    console = Console(record=True, width=120)
    print_report(report_of("some", [row]), console)
    assert "not run" in console.export_text()


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
    measurements = interleave(
        {
            simulate: lambda folder: ["20", "2", folder / "game"],
            compress: lambda folder: [folder / "game" / "source"],
        },
        Circumstances(repetitions=1, logs=tmp_path / "logs", scratch=tmp_path),
    )
    assert set(measurements[simulate][0]) == {
        "seconds",
        "peak_rss_mb",
        "memory_mb",
        "events",
        "lines",
    }
    assert measurements[compress][0]["bytes"] > 0


def test_an_interrupted_benchmark_does_not_wait_for_what_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = []

    def interrupt(child: Popen[str]) -> None:
        children.append(child)
        raise KeyboardInterrupt

    monkeypatch.setattr(Popen, "communicate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_child("subjects.simulate_game", ["1000000", "3650", tmp_path / "game"], tmp_path)
    assert [child.returncode for child in children] == [-signal.SIGKILL]


def test_an_installations_settings_do_not_reach_what_is_measured() -> None:
    environment = environment_of_a_child(
        {"DS_ASSETS_THREADS": "9", "DAGSTER_HOME": "x", "PATH": "/bin"}
    )
    assert environment == {"PATH": "/bin", "PYTHONPATH": str(ROOT)}


def test_quality_is_found_by_its_file_name_and_its_days_have_a_future() -> None:
    assert "quality" in names()
    assert max(bench_quality.JUDGED) + HORIZON_DAYS < bench_quality.DAYS
    assert max(bench_quality.GROUP_JUDGED) + HORIZON_DAYS < bench_quality.GROUP_DAYS
    changed = bench_quality.CHANGE_JUDGED
    assert max(changed.values()) + HORIZON_DAYS < bench_quality.CHANGE_DAYS
    assert changed["before"] + HORIZON_DAYS < bench_quality.CHANGE_DAY
    assert changed["two weeks after"] == bench_quality.CHANGE_DAY + 13
    demo = load_game(GAME_FILE)
    assert demo.last_day is not None
    for days in (bench_quality.DEMO_DAYS, bench_quality.LEARNER_DAYS):
        assert max(days) + dt.timedelta(demo.horizons.churn) <= demo.last_day


@pytest.mark.parametrize(("quick", "stored"), [(False, ["quality_demo.json"]), (True, [])])
def test_each_part_is_a_report_of_its_own_and_a_quick_one_is_not_stored(
    quick: bool,
    stored: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parts = {"demo": lambda _folder, _fewer: [absolute("share", [0.5], "share")]}
    monkeypatch.setattr(bench_quality, "PARTS", parts)
    monkeypatch.setattr(benchmarks.__main__, "RESULTS", tmp_path / "results")
    quickly = ["--quick"] if quick else []
    monkeypatch.setattr("sys.argv", ["benchmarks", "quality", "--only", "demo", *quickly])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert [path.name for path in (tmp_path / "results").glob("*")] == stored
    assert "quality_demo" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quality", "--only", "weather"], "--only: found weather; simulated, "),
        (["growth", "--only", "weather"], "--only: found weather; events, "),
        (["cache", "--only", "demo"], "growth, quality, uplift have parts"),
        (["uplift", "--only", "demo"], "--only: found demo; policies, learners"),
        (["uplift", "--quick"], "--quick: growth, quality, spark can do with fewer users"),
        (["spark", "--only", "demo"], "growth, quality, uplift have parts"),
        (["--quick"], "name one of them alone"),
    ],
)
def test_parts_that_do_not_exist_are_refused(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit):
        parse_arguments()
    assert message in capsys.readouterr().err


def test_probabilities_that_come_true_are_calibrated_and_doubled_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.uniform(0, 0.5, 100_000)
    came = rng.random(100_000) < probabilities
    assert calibration_error(came, probabilities) < 0.01
    assert calibration_error(came, 2 * probabilities) == pytest.approx(0.25, abs=0.01)
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


def test_the_gini_of_the_best_order_is_one_and_of_the_worst_minus_one() -> None:
    amounts = np.array([0.0, 0.0, 1.0, 5.0])
    assert normalized_gini(amounts, amounts) == pytest.approx(1)
    assert normalized_gini(amounts, -amounts) == pytest.approx(-1)
    rng = np.random.default_rng(0)
    many = rng.pareto(2.5, 20_000)
    assert normalized_gini(many, rng.random(20_000)) == pytest.approx(0, abs=0.05)


def test_a_difference_is_sure_only_where_the_users_agree_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(validation, "RESAMPLES", 60)
    rng = np.random.default_rng(0)
    truth = rng.random(1000)
    came = rng.random(1000) < truth
    level = area_difference(came, truth, truth)
    assert (level.value, level.low, level.high) == (0, 0, 0)
    better = area_difference(came, truth, rng.random(1000))
    assert 0 < better.low < better.value < better.high


@pytest.mark.slow
def test_quality_of_a_small_game_is_measured_against_its_truth(tmp_path: Path) -> None:
    rows = list(bench_quality.simulated_rows(tmp_path / "game", 900, 38, [30]))
    assert [row.unit for row in rows] == ["share", "ECE"] * 2 + ["share"] * 4
    units_and_values = [(row.unit, row.value or 0) for row in rows]
    assert all(0.5 < share < 1.1 for unit, share in units_and_values if unit == "share"), (
        units_and_values
    )
    assert all(0 < error < 0.2 for unit, error in units_and_values if unit == "ECE"), (
        units_and_values
    )


def test_what_takes_long_to_make_is_made_once(tmp_path: Path) -> None:
    made_once(tmp_path / "made", lambda folder: write(folder / "file", "first"))
    made_once(tmp_path / "made", lambda folder: write(folder / "file", "second"))
    assert (tmp_path / "made" / "file").read_text(encoding="utf-8") == "first"


def test_what_could_not_be_made_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        made_once(tmp_path / "made", lambda folder: write(folder, "a folder is no file"))
    assert not (tmp_path / "made").exists()


def write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("size", "requests"), [(1, 5), (2, 2), (5, 1), (6, 0)])
def test_requests_are_all_of_one_size_and_such_as_the_api_takes(size: int, requests: int) -> None:
    ids = [f"user {number}" for number in range(5)]
    id_requests = [
        msgspec.json.decode(body, type=PredictionsRequest) for body in questions.ids(ids, size)
    ]
    assert [request.user_ids for request in id_requests] == [
        ids[first : first + size] for first in range(0, requests * size, size)
    ]
    users = [{"user_id": user_id, "spend_7d": 1.5, "last_country": None} for user_id in ids]
    to_score = [
        msgspec.json.decode(body, type=ScoreRequest) for body in questions.features(users, size)
    ]
    assert [len(request.users) for request in to_score] == [size] * requests
    assert all(
        user.features == {"spend_7d": 1.5, "last_country": None}
        for request in to_score
        for user in request.users
    )


@contextmanager
def page(status: int, seconds: float) -> Iterator[str]:
    """Address of a server whose every answer takes its time."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            time.sleep(seconds)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 100
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow
@pytest.mark.server
def test_a_load_goes_as_far_as_the_server_or_as_said(tmp_path: Path) -> None:
    paths = questions.written(tmp_path / "paths", ["/a", "/b"])
    with page(200, 0.1) as url:
        target = Target(url, "GET", paths, connections=10)
        most = saturate(target, 2)
        assert 10 < most.rate <= 101
        assert most.p99_ms >= most.p50_ms >= 100
        # A busy machine stalls, and the load makes up for that.
        assert 10 < ask_at(target, 30, 3).rate < 80


@pytest.mark.slow
@pytest.mark.server
def test_a_load_that_is_refused_measures_nothing(tmp_path: Path) -> None:
    paths = questions.written(tmp_path / "paths", ["/a"])
    with page(503, 0) as url, pytest.raises(ValueError, match="requests failed"):
        saturate(Target(url, "GET", paths), 1)


@pytest.mark.server
def test_redis_alone_is_measured_by_the_second(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        assert redis_rate(server.url, ("GET", "a:__rand_int__"), 2_000, 10) > 0


@pytest.mark.slow
@pytest.mark.server
def test_the_api_under_load_is_measured_and_its_peers_are_not_where_they_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_serving, "USERS", 1_000)
    monkeypatch.setattr(bench_serving, "SECONDS", 1.0)
    monkeypatch.setattr(bench_serving, "COMMANDS", {1: 2_000, 100: 100})
    monkeypatch.setattr(bench_serving, "SCALED", {"get": "GET"})
    monkeypatch.setattr(loads, "_TRIALS", 0)
    monkeypatch.setattr(bench_serving, "are_installed", lambda: False)
    rows = bench_serving.run(Circumstances(1, tmp_path / "logs", tmp_path))
    missing = {row.control for row in rows if row.value is None}
    peers = {words for words, _ in bench_serving.PEERS.values()}
    assert missing == peers | {"webdis, with Redis"}
    few = {row.name: row.value for row in rows if row.unit == "share"}
    assert few == {"answers from elsewhere than Redis and the model": pytest.approx(0, abs=0.01)}
    assert all(row.value > 0 for row in rows if row.value is not None and row.unit != "share")
