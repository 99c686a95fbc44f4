"""What a day is built on: `python -m benchmarks.subjects.history SIMULATED HOME`."""

import sys
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.whole_day import make_history, open_game


def main() -> None:
    start = Start.now()
    tell(start, days=make_history(open_game(Path(sys.argv[1]), Path(sys.argv[2]), "game.yaml")))


if __name__ == "__main__":
    main()
