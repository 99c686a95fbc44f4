"""One LightGBM model of all rows: `python -m benchmarks.controls.plain_fit SIMULATED HOME`.

The rows are those of the snapshots that the churn model of the last day learns from, all of them,
read and encoded beforehand. Only the fit is measured.
"""

import sys
import time
from pathlib import Path

from benchmarks.child import Start, tell
from benchmarks.training_days import last_day, open_game
from ds_assets.core.models.data.training_rows import encoding_of, rows_of
from ds_assets.core.snapshot_days import list_snapshots
from ds_assets.core.targets import CHURN, targets_of
from ds_assets.infra.lake.tables import stored_days
from ds_assets.infra.training_snapshots import SnapshotReader

TREES, LEAVES = 200, 31


def main() -> None:
    from lightgbm import LGBMClassifier  # noqa: PLC0415  # slow to import

    installation = open_game(Path(sys.argv[1]), Path(sys.argv[2]))
    game, lake = installation.game, installation.lake()
    target, last = targets_of(game)[CHURN], last_day(game)
    activity = stored_days("user_activity", lake)
    features = stored_days("user_features", lake)
    days = [day for day in list_snapshots(target, last, game) if day in features]
    reader = SnapshotReader(target, activity, 1.0, lake, installation.engine(), game, print)
    snapshots = reader.label(last, days, reader.find_outcomes({last: days})).snapshots
    rows = rows_of(snapshots, encoding_of(snapshots))
    learner = LGBMClassifier(n_estimators=TREES, num_leaves=LEAVES, verbose=-1, random_state=0)
    start, used = Start.now(), time.process_time()
    learner.fit(rows.matrix, rows.labels)
    tell(start, cpu=time.process_time() - used, rows=len(rows.labels))


if __name__ == "__main__":
    main()
