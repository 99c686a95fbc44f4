"""How a day's run grows: points, rows and goals."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import bench_growth
from benchmarks.bench_growth import (
    LINEAR,
    TARGETS,
    Point,
    game_rows,
    growth_rows,
    measure_day,
    passed_row,
    point_rows,
    shorten_game,
    simulate_game,
)
from benchmarks.measuring import Circumstances, Measured
from ds_assets.game import load_game

QUICK = Circumstances(repetitions=1, logs=Path(), scratch=Path(), quick=True)


def make_point(at: int, *seconds: float) -> Point:
    runs = [{"seconds": it, "peak_rss_mb": 10 * it} for it in seconds]
    return Point("", at, runs, [{"seconds": 2.0}])


def test_a_point_has_its_time_beside_the_control_and_its_memory() -> None:
    rows = list(point_rows("games", [make_point(5, 3.0, 9.0, 4.0)]))
    assert [(row.value, row.unit) for row in rows] == [(4.0, "s"), (2.0, "ratio"), (40.0, "MB")]
    assert {row.place.at for row in rows if row.place} == {5}


def test_growth_is_the_time_of_the_last_point_over_that_before() -> None:
    (row,) = growth_rows("more", [make_point(10, 2.0), make_point(50, 11.0)], LINEAR)
    assert (row.value, row.holds) == (5.5, False)


def test_a_day_that_fails_misses_a_goal_and_the_other_points_stay() -> None:
    passed, failed = make_point(10, 2.0), make_point(50)
    assert passed_row("most", passed).holds is True
    assert passed_row("most", failed).holds is False
    assert not list(growth_rows("more", [passed, failed], LINEAR))
    assert len(list(point_rows("games", [passed, failed]))) == 3


def make_game(folder: Path, days: int) -> Path:
    return simulate_game(folder, 600, days, QUICK, has_home=False)


def test_a_run_that_ends_with_an_error_is_reported_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_child(module: str, *_: object) -> Measured:
        if module == bench_growth.DAY:
            raise subprocess.CalledProcessError(-9, module)
        return {"seconds": 1.0}

    game = make_game(tmp_path, 2)
    (game / bench_growth.HOME).mkdir()
    monkeypatch.setattr(bench_growth, "run_child", run_child)
    assert measure_day(game, 2) == ([], [{"seconds": 1.0}])
    assert not list(game.glob("round-*"))


def test_a_shortened_game_ends_on_the_same_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_game(tmp_path, 9)
    monkeypatch.setattr(bench_growth, "make_history", lambda _: None)
    shorter = shorten_game(game, tmp_path / "shorter", 4, (1, 365))
    whole, part = (load_game(folder / bench_growth.GAME) for folder in (game, shorter))
    assert part.last_day == whole.last_day
    assert part.last_day is not None
    assert (part.last_day - part.first_day).days == 3
    assert part.windows == (1, 365)


def test_more_games_take_the_time_of_all_and_the_memory_of_the_largest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    days = iter([([{"seconds": 3.0, "peak_rss_mb": 5.0}], [{"seconds": 1.0}])] * 2)
    monkeypatch.setattr(bench_growth, "measure_day", lambda *_: next(days))
    point = bench_growth.measure_games(Path(), 2)
    assert point.runs == [{"seconds": 6.0, "peak_rss_mb": 5.0}]
    assert point.controls == [{"seconds": 2.0}]


def test_the_targets_that_are_measured_are_accepted_in_a_game_file(tmp_path: Path) -> None:
    game = make_game(tmp_path, 2)
    bench_growth.change_game(game, targets=TARGETS)
    names = load_game(game / bench_growth.GAME).target_names
    assert set(TARGETS) <= set(names)
    assert len(TARGETS) == max(bench_growth.TARGET_COUNTS)


@pytest.mark.slow
def test_the_day_of_several_games_is_measured(tmp_path: Path) -> None:
    rows = list(game_rows(tmp_path, QUICK))
    assert {row.place.at for row in rows if row.place} == {1, 2}
    assert all(row.value and row.value > 0 for row in rows)
