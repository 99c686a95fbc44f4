"""Rehearse a year of operation: `python -m ds_assets_tests.rehearsal`."""

import argparse
import random
import sys
import warnings

from ds_assets_tests.rehearsal.run import YEAR, rehearse


def main() -> int:
    """Rehearse; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="rehearsal", description=__doc__)
    parser.add_argument("--days", type=int, default=YEAR, help=f"how long; default: {YEAR}")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="to repeat one")
    parser.add_argument("--servers", action="store_true", help="deliver to MariaDB and Redis")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    faults = rehearse(arguments.days, arguments.seed, say, has_servers=arguments.servers)
    print(*(faults or ["nothing is wrong"]), sep="\n")
    return 1 if faults else 0


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
