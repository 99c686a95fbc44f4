"""Each step of one of the last days: `python -m benchmarks.subjects.day_parts GAME HOME BACK`.

BACK counts days back from the game's last one.
"""

import datetime as dt
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.child import reset_peak, status_mb, tell
from benchmarks.graph import predicted_rows
from benchmarks.training_days import last_day
from benchmarks.whole_day import open_game, run_day
from ds_assets.runs import StepState

SECONDS, PEAK = "seconds of ", "peak MB of "


class StepWatch:
    """Measures steps, which run one after the other.

    Attributes:
        measured: Seconds and peak memory in MB of each step.
        peak_mb: The most that the process held in any of them.
    """

    def __init__(self) -> None:
        self.measured: dict[str, float] = {}
        self.peak_mb = 0.0
        self._began = 0.0

    def plan(self, steps: Iterable[str], days: int) -> None:
        """See `RunObserver`."""

    def report_step(self, step: str, state: StepState, days: int) -> None:
        """See `RunObserver`."""
        del days
        if state == "started":
            reset_peak()
            self._began = time.perf_counter()
            return
        peak = status_mb("VmHWM")
        self.peak_mb = max(self.peak_mb, peak)
        self.measured[f"{SECONDS}{step}"] = round(time.perf_counter() - self._began, 3)
        self.measured[f"{PEAK}{step}"] = peak


def main() -> None:
    installation = open_game(Path(sys.argv[1]), Path(sys.argv[2]), "game.yaml")
    day = last_day(installation.game) - dt.timedelta(days=int(sys.argv[3]))
    watch = StepWatch()
    start = run_day(installation, day, watch)
    rows = predicted_rows(installation.lake(), [day])
    tell(start, **{"peak_rss_mb": watch.peak_mb, "rows": rows, **watch.measured})


if __name__ == "__main__":
    main()
