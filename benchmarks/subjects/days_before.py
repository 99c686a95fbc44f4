"""What a last day is built on: `python -m benchmarks.subjects.days_before GAME HOME`."""

import datetime as dt
import sys
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.training_days import last_day
from benchmarks.whole_day import make_history, open_game


def main() -> None:
    installation = open_game(Path(sys.argv[1]), Path(sys.argv[2]), "game.yaml")
    start = Start.now()
    day_before = last_day(installation.game) - dt.timedelta(days=1)
    tell(start, days=make_history(installation, day_before))


if __name__ == "__main__":
    main()
