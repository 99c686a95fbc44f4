"""Soak the API and print a report: `python -m ds_assets_tests.soak [--minutes N]`."""

import argparse
import sys

from ds_assets_tests.soak.load import Phase
from ds_assets_tests.soak.run import soak


def main() -> int:
    """Soak; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long; default: 1")
    minutes = parser.parse_args().minutes
    print(f"{'phase':<34} {'requests':>8} {'p50 ms':>7} {'p99 ms':>7} {'most':>7}  answers from")
    result = soak(minutes, tell)
    print(
        "memory of the worker after each round and in the end, MB:",
        *(f"{megabytes:.0f}" for megabytes in result.memory_mb),
    )
    print(*(result.faults or ["nothing is wrong"]), sep="\n")
    return 1 if result.faults else 0


def tell(phase: Phase) -> None:
    """Print a phase."""
    times = " ".join(f"{phase.percentile(share):7.1f}" for share in (50, 99, 100))
    sources = ", ".join(f"{name} {number:,}" for name, number in phase.sources.most_common())
    print(f"{phase.name:<34} {len(phase.seconds):>8,} {times}  {sources}", flush=True)
    if phase.note:
        print(f"{'':<34} {phase.note}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
