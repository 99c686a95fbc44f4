"""Ready-made values into Redis: `python -m benchmarks.controls.plain_pipeline ADDRESS`.

Stores the values that are in it once more, in redis-py pipelines of 1,000 without a transaction:
what remains of loading a cache when nothing is read, encoded or compared. Reading the values is not
counted, and the server is emptied before they are stored, as for `fill_cache`.
"""

import sys
from pathlib import Path

import redis

from benchmarks.child import Start, tell

SECONDS = 7 * 86_400
SIZE = 1_000


def main() -> None:
    address = Path(sys.argv[1]).read_text(encoding="utf-8")
    with redis.Redis.from_url(address) as server:
        keys = list(server.scan_iter(count=10_000))
        values = [value for part in _parts(keys) for value in server.mget(part)]
        server.flushall()
        start = Start.now()
        for part, ready in zip(_parts(keys), _parts(values), strict=True):
            with server.pipeline(transaction=False) as pipeline:
                for key, value in zip(part, ready, strict=True):
                    pipeline.set(key, value, ex=SECONDS)
                pipeline.execute()
        tell(start, values=server.dbsize())


def _parts(items: list[bytes]) -> list[list[bytes]]:
    return [items[start : start + SIZE] for start in range(0, len(items), SIZE)]


if __name__ == "__main__":
    main()
