"""A day into Redis: `python -m benchmarks.subjects.fill_cache ADDRESS LAKE DAY`.

Works as the asset does: reads from the lake in batches, encodes, and never replaces a newer value.
"""

import datetime as dt
import sys
from pathlib import Path

import redis

from benchmarks.child import Start, import_lazy, tell
from ds_assets.infra.cache.fill import fill_cache
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.lake.folder import FolderLake


def main() -> None:
    address = Path(sys.argv[1]).read_text(encoding="utf-8")
    import_lazy(["hiredis", "pyarrow.parquet"])
    with redis.Redis.from_url(address) as server, PredictionCache(address, "game", 7) as cache:
        server.flushall()
        empty = server.info("memory")["used_memory"]
        day = dt.date.fromisoformat(sys.argv[3])
        cache.ping()
        start = Start.now()
        put = fill_cache([day], FolderLake(Path(sys.argv[2])), cache)[day]
        used = server.info("memory")["used_memory"] - empty
        each = round(used / put.written, 1)
        tell(start, users=put.written, values=server.dbsize(), bytes_a_user=each)


if __name__ == "__main__":
    main()
