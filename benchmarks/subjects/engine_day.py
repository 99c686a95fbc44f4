"""The last day of a simulated game on an engine: `… subjects.engine_day GAME HOME ENGINE`.

ENGINE is `duckdb`; `spark`, a Spark that this process starts; or `connect`, a server of Spark
Connect. After the day, the labels of its models are read once more, through the engine, and stored
in HOME: in the day itself they are a part of training.
"""

import datetime as dt
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.child import tell
from benchmarks.spark_processes import SparkWatch
from benchmarks.subjects.day_parts import StepWatch
from benchmarks.training_days import last_day
from benchmarks.whole_day import open_game, run_day
from ds_assets.core.labels import matured_snapshots
from ds_assets.core.targets import BUILT_IN, Target, targets_of
from ds_assets.infra.labels import StoredActivity, outcomes_of
from ds_assets.infra.lake.tables import count_rows, stored_days
from ds_assets.infra.training_snapshots import find_share
from ds_assets.installation import Installation
from ds_assets.local_servers.spark_connect import SparkConnectServer
from ds_assets.settings import Settings

MASTER = "local[2]"
LABELS, LABELS_FILE = "labels", "labels.parquet"
_KEY = ["target", "snapshot", "user_id"]


def main() -> None:
    simulated, home = Path(sys.argv[1]), Path(sys.argv[2])
    with engine_settings(sys.argv[3], home) as settings:
        installation = open_game(simulated, home, "game.yaml", **settings)
        engine: Any = installation.engine()
        day, watch = last_day(installation.game), StepWatch()
        with SparkWatch() as spark:
            start = run_day(installation, day, watch)
            seconds = round(time.perf_counter() - start.at, 3)
            watch.report_step(LABELS, "started", 1)
            labels = read_labels(installation, day)
            watch.report_step(LABELS, "done", 1)
        labels.to_parquet(home / LABELS_FILE)
        if settings:
            engine.session.stop()  # before its server
        users = count_rows("user_features", day, installation.lake())
    memory = {"peak_rss_mb": watch.peak_mb, "jvm_mb": spark.jvm_mb, "workers_mb": spark.workers_mb}
    tell(start, **{"seconds": seconds, "rows": users, **memory, **watch.measured})


@contextmanager
def engine_settings(engine: str, home: Path) -> Iterator[dict[str, str]]:
    """Settings of an installation that runs on an engine; a server runs within the context."""
    if engine == "connect":
        heap_mb = Settings.model_fields["memory_limit_mb"].default  # as a Spark of the process has
        with SparkConnectServer(home / "spark", MASTER, heap_mb) as server:
            yield {"spark_remote": server.url}
    else:
        yield {"duckdb": {}, "spark": {"spark_master": MASTER}}[engine]


def read_labels(installation: Installation, day: dt.date) -> pd.DataFrame:
    """What the users did after the snapshots that models of a day are trained on.

    Returns:
        Columns target, snapshot, user_id and spend, of the users who reached the target's measure,
        sorted; of the users in training's sample.
    """
    targets = targets_of(installation.game)
    frames = [_read_labels_of(targets[it.name], installation, day) for it in BUILT_IN]
    return pd.concat(frames).sort_values(_KEY, ignore_index=True)


def _read_labels_of(target: Target, installation: Installation, day: dt.date) -> pd.DataFrame:
    game, lake = installation.game, installation.lake()
    snapshots = matured_snapshots(day, target.horizon, target.max_snapshots, game)
    share = find_share(target, [snapshots], lake)
    activity = StoredActivity(list(stored_days("user_activity", lake)), share)
    engine = installation.engine()
    outcomes = outcomes_of(target, {day: snapshots}, activity, lake, engine, game)[day]
    frames = [
        spend.rename("spend").rename_axis("user_id").reset_index().assign(snapshot=snapshot)
        for snapshot, spend in outcomes.items()
    ]
    return pd.concat(frames).assign(target=target.name)


if __name__ == "__main__":
    main()
