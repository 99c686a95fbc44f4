"""Where the time of a day's run goes."""

from typing import Any

import pytest

from benchmarks.bench_day import ASSETS, rows_of
from benchmarks.subjects.day_parts import PEAK, SECONDS, StepWatch


def make_run(**seconds: float) -> dict[str, Any]:
    times = dict.fromkeys(ASSETS, 1.0) | seconds
    steps = {f"{SECONDS}{step}": value for step, value in times.items()}
    peaks = {f"{PEAK}{step}": 100.0 for step in times}
    return {
        "seconds": sum(times.values()) + 2.5,
        "peak_rss_mb": 700.0,
        "rows": 60.0,
        **steps,
        **peaks,
    }


def test_the_parts_of_a_day_add_up_to_its_time() -> None:
    runs = [make_run(raw_logs=3.0, a_check=0.5, another_check=0.25)]
    rows = list(rows_of("a day", runs, [{"seconds": 2.0}]))
    whole = next(row for row in rows if row.unit == "s" and row.name == "a day: time")
    parts = [row for row in rows if row.unit == "s" and row is not whole]
    assert sum(row.value or 0 for row in parts) == pytest.approx(whole.value)
    assert [row.value for row in parts[-2:]] == [0.75, 2.5]
    assert rows[0].value == pytest.approx((whole.value or 0) / 2)


def test_the_most_that_a_step_holds_is_its_own() -> None:
    watch = StepWatch()
    watch.report_step("large", "started", 1)
    block = bytearray(64 << 20)
    watch.report_step("large", "done", 1)
    del block
    watch.report_step("small", "started", 1)
    watch.report_step("small", "done", 1)
    assert watch.measured[f"{PEAK}large"] > watch.measured[f"{PEAK}small"] + 32
    assert watch.peak_mb == watch.measured[f"{PEAK}large"]
