"""A day to serve: `python -m benchmarks.make_served_day USERS OUT`.

Writes to OUT a `game.yaml` and a `lake` with yesterday's models, and features and predictions of
USERS users. The models are those of a small simulated game. Its users are drawn with replacement,
each draw with a new id, and the graph's own functions predict for them, with reasons.
"""

import datetime as dt
import random
import sys
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.child import Start, tell
from benchmarks.measuring import run_child
from ds_assets.assets import predictions
from ds_assets.game import Game, load_game
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.tables import store_rows, table_file
from ds_assets.simulate import SimulationOptions, simulate

GAME_USERS, GAME_DAYS = 3_000, 60
MEMORY_MB, THREADS = 2_000, 2
FEATURES = "user_features"


def main() -> None:
    start = Start.now()
    users, out = int(sys.argv[1]), Path(sys.argv[2])
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(1)  # older ones would be stale
    first = day - dt.timedelta(GAME_DAYS - 1)
    simulate(SimulationOptions(users=GAME_USERS, days=GAME_DAYS, start=first), out)
    run_child("subjects.predict_days", [out, out, day.isoformat()], out)
    grow(day, users, FolderLake(out / "lake"), load_game(out / "game.yaml"))
    tell(start, users=users)


def grow(day: dt.date, users: int, lake: FolderLake, game: Game) -> None:
    """Put many users in the place of a day's few."""
    rows = parquet.read_table(lake.local(table_file(FEATURES, day)), partitioning=None)
    drawn = np.random.default_rng(7).integers(0, rows.num_rows, users)
    chance = random.Random(7)  # noqa: S311  (no secret)
    ids = (str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(users))
    place = rows.column_names.index("user_id")
    many = rows.take(pa.array(drawn)).set_column(place, "user_id", pa.array(sorted(ids)))
    store_rows(many, FEATURES, day, lake)
    predictions.update([day], lake, open_duckdb(MEMORY_MB, threads=THREADS), game)


if __name__ == "__main__":
    main()
