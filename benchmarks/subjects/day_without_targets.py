"""The same without them: `python -m benchmarks.subjects.day_without_targets GAME HOME`."""

import sys
from pathlib import Path

from benchmarks.whole_day import open_game, run_last_day


def main() -> None:
    run_last_day(open_game(Path(sys.argv[1]), Path(sys.argv[2]), "plain.yaml"))


if __name__ == "__main__":
    main()
