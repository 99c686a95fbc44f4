"""Where the time of a day's run goes: seconds and peak memory of each asset.

A day with choices and the day after it, on which they hold; see decision 26. What both are built on
is made before, and not measured.
"""

from collections.abc import Iterator, Sequence

from benchmarks.larger_games import link_folder
from benchmarks.measuring import Circumstances, Measured, run_child, say, values
from benchmarks.report import Row, absolute, ratio
from benchmarks.subjects.day_parts import PEAK, SECONDS
from benchmarks.training_days import last_day
from ds_assets.game import load_game

USERS, DAYS = 100_000, 40
DAY, CONTROL = "subjects.day_parts", "controls.plain_day"
LEAST = "reading the day's logs, and one LightGBM fit of 100,000 rows"
KINDS = {"a day with choices": 1, "a day between": 0}
"""How many days before the last one each lies; the first makes the choices that the other keeps."""
ASSETS = (
    "raw_logs",
    "user_activity",
    "cohorts",
    "user_features",
    "clusters",
    "churn_model",
    "payment_model",
    "predictions",
    "cluster_profiles",
    "rds_results",
    "prediction_cache",
)
"""In the order of the graph; the others have nothing to do on these days."""


def run(circumstances: Circumstances) -> Sequence[Row]:
    """Measure."""
    game, home = circumstances.scratch / "game", circumstances.scratch / "home"
    say(f"  simulating {USERS:,} accounts over {DAYS} days")
    run_child("subjects.simulate_game", [str(USERS), str(DAYS), game], circumstances.scratch)
    say("  making what the days are built on")
    run_child("subjects.days_before", [game, home, str(len(KINDS))], circumstances.scratch)
    logs = game / "source" / f"dt={last_day(load_game(game / 'game.yaml'))}"
    measured: dict[str, list[Measured]] = {kind: [] for kind in KINDS}
    controls = []
    for number in range(circumstances.repetitions):
        controls.append(run_child(CONTROL, [logs], circumstances.scratch))
        own = circumstances.round(number)
        link_folder(home, own)
        for kind, back in KINDS.items():
            say(f"  round {number + 1}: {kind}")
            measured[kind].append(run_child(DAY, [game, own, str(back)], circumstances.scratch))
    return [row for kind, runs in measured.items() for row in rows_of(kind, runs, controls)]


def rows_of(kind: str, runs: Sequence[Measured], controls: Sequence[Measured]) -> Iterator[Row]:
    """Rows of a kind of day: the whole, then each asset, then the checks, then the rest."""
    seconds = values(runs, "seconds")
    yield ratio(f"{kind}: time", seconds, LEAST, values(controls, "seconds"))
    yield absolute(f"{kind}: time", seconds, "s")
    yield absolute(f"{kind}: peak memory", values(runs, "peak_rss_mb"), "MB")
    yield absolute(f"{kind}: active users", values(runs, "rows"), "users")
    for asset in ASSETS:
        yield absolute(f"{kind}, {asset}: time", values(runs, f"{SECONDS}{asset}"), "s")
        yield absolute(f"{kind}, {asset}: peak memory", values(runs, f"{PEAK}{asset}"), "MB")
    others, rest = zip(*map(_add_up_others, runs), strict=True)
    yield absolute(f"{kind}, checks and assets with nothing to do: time", others, "s")
    yield absolute(f"{kind}, between the steps: time", rest, "s")


def _add_up_others(run: Measured) -> tuple[float, float]:
    """Seconds of the steps that have no rows of their own, and of what is no step."""
    steps = {name: value for name, value in run.items() if name.startswith(SECONDS)}
    own = sum(steps[f"{SECONDS}{asset}"] for asset in ASSETS)
    total = sum(steps.values())
    return round(total - own, 3), round(run["seconds"] - total, 3)
