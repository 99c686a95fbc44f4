"""Both targets of a day: `python -m benchmarks.subjects.train_models SIMULATED HOME`.

Twice: of the day before the last, for which choices are made, and of the last, which follows it.
"""

import datetime as dt
import sys
import time
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.training_days import forget_models, last_day, open_game, train_all


def main() -> None:
    simulated, home = map(Path, sys.argv[1:3])
    installation = open_game(simulated, home)
    last = last_day(installation.game)
    forget_models(home)
    start, used = Start.now(), time.process_time()
    chosen = train_all(installation, last - dt.timedelta(days=1))
    choosing, choosing_cpu = time.perf_counter() - start.at, time.process_time() - used
    between, used = time.perf_counter(), time.process_time()
    cards = train_all(installation, last)
    seconds, cpu = time.perf_counter() - between, time.process_time() - used
    expected = {name: card.choices_day for name, card in chosen.items()}
    if {name: card.choices_day for name, card in cards.items()} != expected:
        raise ValueError("choices were made again on the last day")
    tell(
        start,
        choosing=choosing,
        choosing_cpu=choosing_cpu,
        between=seconds,
        between_cpu=cpu,
        rows=min(card.rows for card in cards.values()),
    )


if __name__ == "__main__":
    main()
