"""The cost of training both built-in targets for a day, and how it grows with the users.

A day between is one on which choices hold, as on six of seven days; see decision 26.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import Circumstances, Measured, interleave, run_child, say, values
from benchmarks.report import Goal, Row, absolute, ratio

USERS, DAYS = 100_000, 40
TIMES = 15
"""Copies of each user: with about 66,000 active ones, a million."""
TRAINING, CONTROL = "subjects.train_models", "controls.plain_fit"
AT_MOST_ONE_FIT = Goal(comparison="<=", limit=1.0)
MAX_GROWTH = Goal(comparison="<=", limit=1.5)
PLAIN = "one LightGBM fit of all rows (200 trees, 31 leaves)"


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    simulated, home = circumstances.scratch / "simulated", circumstances.scratch / "home"
    larger = circumstances.scratch / "larger"
    say(f"  simulating {USERS:,} users over {DAYS} days")
    game: list[str | Path] = [str(USERS), str(DAYS), simulated]
    run_child("subjects.simulate_game", game, circumstances.scratch)
    say("  making what models are made from")
    run_child("subjects.training_inputs", [simulated, home], circumstances.scratch)
    run_child("subjects.more_users", [simulated, home, larger, str(TIMES)], circumstances.scratch)
    measured = interleave(
        {module: lambda _: [simulated, home] for module in (TRAINING, CONTROL)}, circumstances
    )
    larger_scratch = circumstances.scratch / "growth"
    larger_scratch.mkdir()
    of_more = interleave(
        {TRAINING: lambda _: [simulated, larger]}, circumstances.within(larger_scratch)
    )
    return _rows(measured[TRAINING], measured[CONTROL], of_more[TRAINING])


def _rows(
    ours: Sequence[Measured], plain: Sequence[Measured], of_more: Sequence[Measured]
) -> list[Row]:
    seconds, cpu = values(plain, "seconds"), values(plain, "cpu")
    between, choosing = values(ours, "between"), values(ours, "choosing")
    between_cpu, choosing_cpu = values(ours, "between_cpu"), values(ours, "choosing_cpu")
    fewer, grown = f"with {USERS:,} accounts", f"{TIMES} times the users"
    return [
        ratio("both targets, a day between: time", between, PLAIN, seconds, AT_MOST_ONE_FIT),
        ratio("both targets, a day between: processor time", between_cpu, PLAIN, cpu),
        ratio("both targets, a day with choices: time", choosing, PLAIN, seconds),
        ratio("both targets, a day with choices: processor time", choosing_cpu, PLAIN, cpu),
        ratio(f"{grown}, a day between", values(of_more, "between"), fewer, between, MAX_GROWTH),
        ratio(f"{grown}, a day with choices", values(of_more, "choosing"), fewer, choosing),
        absolute("rows of the control", values(plain, "rows"), "rows"),
        absolute("peak memory", values(ours, "peak_rss_mb"), "MB"),
        absolute(f"peak memory, {grown}", values(of_more, "peak_rss_mb"), "MB"),
    ]
