"""What a day is built on: `python -m benchmarks.subjects.history SIMULATED HOME`."""

import sys
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.training_days import last_day
from benchmarks.whole_day import make_history, open_game


def main() -> None:
    start = Start.now()
    installation = open_game(Path(sys.argv[1]), Path(sys.argv[2]), "game.yaml")
    tell(start, days=make_history(installation, last_day(installation.game)))


if __name__ == "__main__":
    main()
