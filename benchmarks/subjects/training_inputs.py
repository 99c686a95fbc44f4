"""What training is measured on: `python -m benchmarks.subjects.training_inputs SIMULATED HOME`."""

import sys
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.training_days import make_inputs, open_game


def main() -> None:
    start = Start.now()
    make_inputs(open_game(Path(sys.argv[1]), Path(sys.argv[2])))
    tell(start)


if __name__ == "__main__":
    main()
