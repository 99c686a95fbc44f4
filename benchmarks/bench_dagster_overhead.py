"""The cost of Dagster: 30 days of a small game in one run, compared with a plain loop.

The loop calls the same functions. Start-up is not measured. The run includes the checks, which the
loop does not have.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.graph import DAYS
from benchmarks.measuring import Circumstances, Measured, interleave, run_child, say, values
from benchmarks.report import Goal, Row, absolute, ratio

USERS = 2_000
SIMULATED_DAYS = 45
SUBJECT, CONTROL = "subjects.dagster_run", "controls.plain_loop"
MAX_TIME = Goal(comparison="<", limit=1.5)


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure.

    Raises:
        ValueError: run and loop did not predict for the same number of users.
    """
    simulated = circumstances.scratch / "simulated"
    say(f"  simulating {USERS:,} users over {SIMULATED_DAYS} days")
    game: list[str | Path] = [str(USERS), str(SIMULATED_DAYS), simulated]
    run_child("subjects.simulate_game", game, circumstances.scratch)
    measured = interleave(
        {
            CONTROL: lambda folder: [simulated, folder / "plain"],
            SUBJECT: lambda folder: [simulated, folder / "dagster"],
        },
        circumstances,
    )
    rows, plain_rows = (values(measured[module], "rows") for module in (SUBJECT, CONTROL))
    if rows != plain_rows:
        raise ValueError(f"the run predicted for {rows} users, the plain loop for {plain_rows}")
    return _rows(measured[SUBJECT], measured[CONTROL])


def _rows(ours: Sequence[Measured], plain: Sequence[Measured]) -> list[Row]:
    seconds, plain_seconds = values(ours, "seconds"), values(plain, "seconds")
    memory, plain_memory = values(ours, "peak_rss_mb"), values(plain, "peak_rss_mb")
    steps = ours[0]["assets"] * DAYS
    added = [
        round(1000 * (ours_seconds - control_seconds) / steps, 2)
        for ours_seconds, control_seconds in zip(seconds, plain_seconds, strict=True)
    ]
    return [
        ratio("time", seconds, "plain loop", plain_seconds, MAX_TIME),
        absolute("added for each asset and day", added, "ms"),
        ratio("peak memory", memory, "plain loop", plain_memory),
    ]
