"""The simulator: `python -m benchmarks.subjects.simulate_game USERS DAYS OUT`."""

import sys
from pathlib import Path

from benchmarks.child import Start, tell
from ds_assets.simulate import SimulationOptions, simulate


def main() -> None:
    options = SimulationOptions(users=int(sys.argv[1]), days=int(sys.argv[2]))
    start = Start.now()
    summary = simulate(options, Path(sys.argv[3]))
    tell(start, events=summary.events, lines=summary.lines)


if __name__ == "__main__":
    main()
