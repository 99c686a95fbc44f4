"""What the last COUNT days are built on: `… subjects.days_before GAME HOME COUNT`."""

import sys
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.whole_day import make_history, open_game


def main() -> None:
    installation = open_game(Path(sys.argv[1]), Path(sys.argv[2]), "game.yaml")
    start = Start.now()
    tell(start, days=make_history(installation, int(sys.argv[3])))


if __name__ == "__main__":
    main()
