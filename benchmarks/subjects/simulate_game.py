"""The simulator: `python -m benchmarks.subjects.simulate_game USERS DAYS OUT`."""

import datetime as dt
import sys
from pathlib import Path

from benchmarks.child import Start, tell
from ds_assets.simulate import SimulationOptions, simulate

LATEST_END = dt.date(2026, 6, 30)
"""A day that has not ended cannot be read, so a long game begins before the default day."""


def make_options(users: int, days: int) -> SimulationOptions:
    """A game of so many days, which have all ended."""
    latest_start = LATEST_END - dt.timedelta(days=days - 1)
    return SimulationOptions(
        users=users, days=days, start=min(SimulationOptions.start, latest_start)
    )


def main() -> None:
    options = make_options(int(sys.argv[1]), int(sys.argv[2]))
    start = Start.now()
    summary = simulate(options, Path(sys.argv[3]))
    tell(start, events=summary.events, lines=summary.lines)


if __name__ == "__main__":
    main()
