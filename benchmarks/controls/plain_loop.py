"""30 days without Dagster: `python -m benchmarks.controls.plain_loop SIMULATED HOME`.

Calls the functions that the assets call, one after the other, with the same arguments and no
checks.
"""

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.graph import installation, last_days, predicted_rows, record_days
from ds_assets.assets import (
    cluster_profiles,
    clusters,
    predictions,
    raw_logs,
    rds_results,
    target_model,
    user_activity,
    user_features,
)
from ds_assets.core.targets import targets_of
from ds_assets.infra.cache.fill import fill_cache
from ds_assets.installation import Installation


def run(days: Sequence[dt.date], installed: Installation) -> None:
    """Everything from the source's logs to the cache."""
    lake, engine, game = installed.lake(), installed.engine(), installed.game
    raw_logs.materialize_days(days, installed.log_source(), lake, game, print)
    user_activity.materialize_days(days, lake, engine, game)
    record_days("user_activity", days, lake)
    user_features.materialize_days(days, lake, engine, game)
    record_days("user_features", days, lake)
    clusters.materialize_days(days, lake, game)
    for target in targets_of(game).values():
        target_model.update(target, days, lake, engine, game)
    predictions.update(days, lake, engine, game)
    cluster_profiles.update(days, lake, game)
    with installed.results() as results, installed.cache() as cache:
        rds_results.materialize_days(days, lake, results, "plain loop", game)
        fill_cache(days, lake, cache)


def main() -> None:
    installed = installation(Path(sys.argv[1]), Path(sys.argv[2]))
    days = last_days(installed.game)
    start = Start.now()
    run(days, installed)
    tell(start, days=len(days), rows=predicted_rows(installed.lake(), days))


if __name__ == "__main__":
    main()
