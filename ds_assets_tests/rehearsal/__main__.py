"""Rehearse a year of operation: `python -m ds_assets_tests.rehearsal [--days N] [--seed N]`."""

import argparse
import random
import sys
import warnings

from ds_assets_tests.rehearsal.run import YEAR, rehearse


def main() -> int:
    """Rehearse; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="rehearsal", description=__doc__)
    parser.add_argument("--days", type=int, default=YEAR, help=f"how long; default: {YEAR}")
    parser.add_argument("--users", type=int, default=200, help="accounts; default: 200")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="to repeat one")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    faults = rehearse(arguments.days, arguments.users, arguments.seed, tell)
    print(*(faults or ["nothing is wrong"]), sep="\n")
    return 1 if faults else 0


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
