"""What a measured process says of itself: its last line of output.

Belongs here: that line, and what start-up is. The controls in pandas, Polars and DuckDB are scripts
that stand alone, and say the same in their own words.
"""

import importlib
import json
import time
from collections.abc import Iterable
from pathlib import Path


def import_lazy(modules: Iterable[str]) -> None:
    """Import what the measured code imports when it is first used: start-up is not measured."""
    for module in modules:
        importlib.import_module(module)


def tell(started: float, **counts: float) -> None:
    """Print the line.

    Args:
        started: `time.perf_counter()` when the work began.
        counts: How much was done, by name.
    """
    seconds = round(time.perf_counter() - started, 3)
    print(json.dumps({"seconds": seconds, "peak_rss_mb": _peak_rss_mb(), **counts}))


def _peak_rss_mb() -> float:
    """Most memory this process ever held; getrusage would count its parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)
