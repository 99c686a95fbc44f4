"""A lake with more users: `python -m benchmarks.subjects.more_users SIMULATED HOME OUT TIMES`."""

import sys
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.larger_games import multiply_users
from benchmarks.training_days import open_game


def main() -> None:
    start = Start.now()
    simulated, home, out = map(Path, sys.argv[1:4])
    multiply_users(open_game(simulated, home), out, int(sys.argv[4]))
    tell(start)


if __name__ == "__main__":
    main()
