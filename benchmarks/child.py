"""What a measured process reports: its last line of output.

Scope: that line, and where start-up ends. The controls in pandas, Polars and DuckDB are scripts
that do not import this package, and write the same line themselves.
"""

import importlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


def import_lazy(modules: Iterable[str]) -> None:
    """Import what the measured code imports when it is first used: start-up is not measured."""
    for module in modules:
        importlib.import_module(module)


@dataclass(frozen=True)
class Start:
    """When the work began: `time.perf_counter()`, and the MB that the process then held."""

    at: float
    rss_mb: float

    @classmethod
    def now(cls) -> "Start":
        """The moment after imports: what came before is start-up."""
        return cls(time.perf_counter(), status_mb("VmRSS"))


def tell(start: Start, **counts: float) -> None:
    """Print the line.

    Args:
        start: When the work began.
        counts: How much was done, by name.
    """
    seconds = round(time.perf_counter() - start.at, 3)
    peak = status_mb("VmHWM")
    memory = {"peak_rss_mb": peak, "memory_mb": round(peak - start.rss_mb, 1)}
    print(json.dumps({"seconds": seconds, **memory, **counts}))


def status_mb(field: str) -> float:
    """VmRSS, or VmHWM: the most this process ever held, or since `reset_peak`, in MB.

    getrusage would count its parent's too.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.split(f"{field}:")[1].split()[0]) / 1024, 1)


def reset_peak() -> None:
    """Let the most that this process holds count from now on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
