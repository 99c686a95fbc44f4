"""The cost of a game's own targets: a day's whole run with three of them, compared with none.

The logs of the days before, and the features that models are trained on, are made beforehand and
not measured. A run is everything from the day's logs to the cache, with checks.
"""

from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks.measuring import Circumstances, interleave, run_child, say, values
from benchmarks.report import Goal, Row, absolute, ratio

USERS = 100_000
SIMULATED_DAYS = 75
TARGETS = {
    "first_purchase": {"event": ["purchase"], "population": "never_paid", "horizon": 7},
    "level_up": {"event": ["level_up"], "horizon": 7},
    "big_spender": {"spend_at_least": 50, "horizon": 30},
}
WITHOUT, WITH = "subjects.day_without_targets", "subjects.last_day"
MAX_TIME_PER_TARGET = Goal(comparison="<=", limit=0.15)


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure.

    Raises:
        ValueError: The runs did not predict for the same number of users, or a target had no model.
    """
    simulated, home = circumstances.scratch / "simulated", circumstances.scratch / "home"
    say(f"  simulating {USERS:,} users over {SIMULATED_DAYS} days")
    game: list[str | Path] = [str(USERS), str(SIMULATED_DAYS), simulated]
    run_child("subjects.simulate_game", game, circumstances.scratch)
    add_targets(simulated)
    say("  making what the day is built on")
    run_child("subjects.days_before", [simulated, home, "1"], circumstances.scratch)
    measured = interleave(
        {module: lambda _: [simulated, home] for module in (WITHOUT, WITH)}, circumstances
    )
    if values(measured[WITH], "rows") != values(measured[WITHOUT], "rows"):
        raise ValueError("the runs with and without targets predicted for different users")
    if set(values(measured[WITH], "models")) != {len(TARGETS)}:
        raise ValueError("a target had not enough data for a model: its cost was not measured")
    without, with_targets = (values(measured[module], "seconds") for module in (WITHOUT, WITH))
    added = [
        round((ours - base) / len(TARGETS), 3)
        for ours, base in zip(with_targets, without, strict=True)
    ]
    memory = values(measured[WITH], "peak_rss_mb")
    return [
        ratio("time of each target", added, "the day without", without, MAX_TIME_PER_TARGET),
        ratio("peak memory", memory, "the day without", values(measured[WITHOUT], "peak_rss_mb")),
        absolute("the day without targets", without, "s"),
    ]


def add_targets(simulated: Path) -> None:
    """Keep the game file without targets beside one that has them."""
    file = simulated / "game.yaml"
    plain = file.read_text(encoding="utf-8")
    (simulated / "plain.yaml").write_text(plain, encoding="utf-8")
    content = yaml.safe_load(plain) | {"targets": TARGETS}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
