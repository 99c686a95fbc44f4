"""The graph up to predictions: `python -m benchmarks.subjects.predict_days GAME HOME DAY...`.

GAME is a folder with `source/` and `game.yaml`. All logs are read; features and clusters are made
for the days that the predictions of the named days need, models for the named days only. What an
earlier call left in HOME is reused, except the models: they may be made again with another
`game.yaml`.
"""

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from benchmarks.child import Start, tell
from benchmarks.graph import predicted_rows
from ds_assets.core.labels import matured_snapshots
from ds_assets.core.targets import targets_of
from ds_assets.definitions import build_defs
from ds_assets.game import Game
from ds_assets.infra.lake.tables import stored_days
from ds_assets.installation import load_installation
from ds_assets.runs import materialize_days

LOGS = dg.AssetSelection.assets("raw_logs", "user_activity")
FEATURES = dg.AssetSelection.assets("user_lifetimes", "user_features", "clusters")
MODELS = dg.AssetSelection.groups("models") | dg.AssetSelection.assets("predictions")


def main() -> None:
    folder, home = Path(sys.argv[1]), Path(sys.argv[2])
    days = sorted(dt.date.fromisoformat(text) for text in sys.argv[3:])
    installation = load_installation(
        {"home": home, "source": folder / "source", "game": folder / "game.yaml"}
    )
    game, lake, defs = installation.game, installation.lake(), build_defs(installation)
    start = Start.now()
    with dg.DagsterInstance.ephemeral() as instance:
        if not stored_days("user_activity", lake):
            materialize_days(defs, LOGS, game.first_day, game.last_day or days[-1], instance)
        for day in sorted(feature_days(days, game) - set(stored_days("user_features", lake))):
            materialize_days(defs, FEATURES, day, day, instance)
        for day in days:
            materialize_days(defs, MODELS, day, day, instance)
    tell(start, days=len(days), rows=predicted_rows(lake, days))


def feature_days(days: Sequence[dt.date], game: Game) -> set[dt.date]:
    """Days, and the snapshots that their models are trained on."""
    targets = targets_of(game).values()
    return set(days).union(
        *(
            matured_snapshots(day, target.horizon, target.max_snapshots, game)
            for day in days
            for target in targets
        )
    )


if __name__ == "__main__":
    main()
