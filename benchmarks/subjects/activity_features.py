"""The project's activity and features: `python -m benchmarks.subjects.activity_features LOGS OUT`.

Does what a day's run does with raw files in the lake, including quarantine, duplicates, late events
and reports.
"""

import sys
from pathlib import Path

from benchmarks.child import Start, import_lazy, tell
from benchmarks.graph import record_days
from ds_assets.assets import user_activity, user_features
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake
from ds_assets.installation import load_installation

GAME_FILE = Path(__file__).parents[1] / "game.yaml"


def run(lake: Lake, engine: LakeEngine, game: Game) -> dict[str, int]:
    """Make `user_activity` of all days and `user_features` of the last one."""
    days = lake.days("raw")
    reports = user_activity.materialize_days(days, lake, engine, game)
    record_days("user_activity", days, lake)
    users = user_features.materialize_days(days[-1:], lake, engine, game)
    events = sum(report.events for report in reports.values())
    return {"users": users[days[-1]], "events": events}


def main() -> None:
    logs, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True)
    (out / "raw").symlink_to(logs)
    installation = load_installation({"game": GAME_FILE, "lake": out})
    import_lazy(["sqlframe.duckdb"])
    start = Start.now()
    tell(start, **run(installation.lake(), installation.engine(), installation.game))


if __name__ == "__main__":
    main()
