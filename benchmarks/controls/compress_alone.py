"""The control of the simulator: `python -m benchmarks.controls.compress_alone SOURCE`.

Compresses the lines of each file again, one file after the other, with the same settings: what
remains of the simulator's work when everything else costs nothing. Reading and decompressing are
not counted.
"""

import gzip
import sys
import time
from dataclasses import replace
from pathlib import Path

from isal import igzip

from benchmarks.child import Start, tell

LEVEL = 2


def main() -> None:
    start, seconds, size = Start.now(), 0.0, 0
    for path in sorted(Path(sys.argv[1]).glob("dt=*/*.jsonl.gz")):
        lines = gzip.decompress(path.read_bytes())
        began = time.perf_counter()
        igzip.compress(lines, LEVEL, mtime=0)
        seconds += time.perf_counter() - began
        size += len(lines)
    tell(replace(start, at=time.perf_counter() - seconds), bytes=size)


if __name__ == "__main__":
    main()
