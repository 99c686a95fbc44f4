from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_quality
from benchmarks.controls.departures import Departures
from benchmarks.when_users_leave import concordance_row, curve_rows, median_row
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets_tests.core.models.learning.test_survival import CURVE

USERS = 20_000
FOLLOWED = 56


def draw(seed: int = 0) -> tuple[Floats, Departures]:
    """Chances of leaving, and users who leave as the curve says."""
    chance = np.random.default_rng(seed)
    chances = sigmoid(chance.normal(-1.0, 1.2, USERS))
    survival = CURVE.survival(chances, np.arange(FOLLOWED + 1.0))
    day = (survival > chance.random((USERS, 1))).sum(axis=1)
    return chances, Departures(np.minimum(day, FOLLOWED), day <= FOLLOWED, FOLLOWED, 0.0)


def test_users_who_leave_as_predicted_are_calibrated() -> None:
    chances, departures = draw()
    rows = list(curve_rows("x", CURVE, chances, departures))
    assert [row.holds for row in rows] == [True, True, True]
    row = median_row("x", CURVE.days_left(chances), departures)
    assert row.value is not None
    assert row.value < 0.03


def test_the_curve_is_compared_only_as_far_as_users_were_followed() -> None:
    chances, departures = draw()
    shorter = Departures(departures.days, departures.has_left, 30, 0.0)
    names = [row.name for row in curve_rows("x", CURVE, chances, shorter)]
    assert [name.split()[-2] for name in names] == ["14", "28"]


def test_the_better_order_has_the_higher_concordance() -> None:
    chances, departures = draw()
    noise = np.random.default_rng(1).random(USERS)
    row = concordance_row("x", {"ours": chances, "Cox": noise}, departures)
    assert row.value is not None
    assert row.value > 0.15
    assert row.holds


@pytest.mark.slow
def test_when_users_leave_is_measured_in_a_simulated_game(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    rows = list(bench_quality.when_simulated_rows(tmp_path / "when", 600, 80, (55,)))
    assert {row.unit for row in rows} == {"C", "ECE", "share"}
    assert all(row.name.startswith("when, simulated, 2026-02-25") for row in rows)
