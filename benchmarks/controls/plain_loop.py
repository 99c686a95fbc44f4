"""30 days without Dagster: `python -m benchmarks.controls.plain_loop SIMULATED HOME`.

Calls the functions that the assets call, one after the other, with the same arguments and no
checks.
"""

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.graph import installation, last_days, predicted_rows
from ds_assets.assets import (
    cluster_profiles,
    clusters,
    prediction_cache,
    predictions,
    raw_logs,
    rds_results,
    target_model,
    user_activity,
    user_features,
)
from ds_assets.core.targets import targets_of
from ds_assets.game import Game, load_game
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.settings import Settings


def run(days: Sequence[dt.date], settings: Settings, game: Game) -> None:
    """Everything from the source's logs to the cache."""
    lake = FolderLake(settings.lake)
    engine = open_duckdb(settings.memory_limit_mb, settings.threads)
    raw_logs.update(days, FolderLogSource(settings.source, game.logs.path), lake, print)
    user_activity.update(days, lake, engine, game)
    user_features.update(days, lake, engine, game)
    clusters.update(days, lake, game)
    for target in targets_of(game).values():
        target_model.update(target, days, lake, engine, game)
    predictions.update(days, lake, engine, game)
    cluster_profiles.update(days, lake, game)
    _deliver(days, lake, settings, game)


def _deliver(days: Sequence[dt.date], lake: FolderLake, settings: Settings, game: Game) -> None:
    with ResultsDatabase(settings.results_url) as results:
        rds_results.update(days, lake, results, "plain loop")
    with PredictionCache(settings.cache_folder, game.name, settings.cache_days) as cache:
        prediction_cache.update(days, lake, cache)


def main() -> None:
    settings = installation(Path(sys.argv[1]), Path(sys.argv[2]))
    game = load_game(settings.game)
    days = last_days(game)
    start = Start.now()
    run(days, settings, game)
    tell(start, days=len(days), rows=predicted_rows(settings, days))


if __name__ == "__main__":
    main()
