"""Run the benchmarks: `python -m benchmarks [NAME ...]`, all of them without a name.

`python -m benchmarks uplift FILE --treatment COL --outcome COL` measures uplift models on a table.

Exits with code 1 if a goal is missed.
"""

import argparse
import importlib
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from benchmarks import uplift_file
from benchmarks.measuring import Circumstances, say
from benchmarks.report import Report, Row, print_report, report_of, write_report

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PREFIX = "bench_"
PARTED = ("growth", "quality", "uplift")
"""Benchmarks with parts, each of which is a report of its own."""
QUICK = ("growth", "quality", "spark")
"""Benchmarks that can do with less, to see that they work."""
PRINTED_COLUMNS = 180
"""Width of the table in a file or a pipe, where no terminal has one."""


def main() -> None:
    if sys.argv[1:2] == ["uplift"] and any(not name.startswith("-") for name in sys.argv[2:3]):
        uplift_file.main(sys.argv[2:])
        return
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, _end)
    reports: list[Report] = []
    with tempfile.TemporaryDirectory(prefix="ds_assets_bench_") as scratch:
        for name in arguments.names or names():
            folder = Path(scratch) / name
            folder.mkdir()
            logs = (arguments.logs or Path(scratch) / "logs").absolute()
            circumstances = Circumstances(
                repetitions=arguments.repetitions,
                logs=logs,
                scratch=folder,
                only=tuple(arguments.only),
                quick=arguments.quick,
            )
            reports += _run(name, circumstances)
    sys.exit(0 if all(row.holds is not False for report in reports for row in report.rows) else 1)


def names() -> list[str]:
    """Names of all benchmarks."""
    return sorted(path.stem.removeprefix(PREFIX) for path in HERE.glob(f"{PREFIX}*.py"))


def _run(name: str, circumstances: Circumstances) -> Iterator[Report]:
    """Run a benchmark. Each part of one that has parts is a report of its own, as it takes long."""
    say(name)
    module = importlib.import_module(f"benchmarks.{PREFIX}{name}")
    parts = circumstances.only or tuple(getattr(module, "PARTS", ()))
    for part in parts:
        rows = module.run(replace(circumstances, only=(part,)))
        yield _report(f"{name}_{part}", rows, circumstances)
    if not parts:
        yield _report(name, module.run(circumstances), circumstances)


def _report(name: str, rows: Sequence[Row], circumstances: Circumstances) -> Report:
    """Print the rows, and store them unless they are those of a quick run."""
    report = report_of(name, rows)
    if not circumstances.quick:
        write_report(report, RESULTS)
    print_report(report, Console(width=None if sys.stdout.isatty() else PRINTED_COLUMNS))
    return report


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End in an orderly way, so that no server is left behind."""
    sys.exit(128 + number)


def parse_arguments() -> argparse.Namespace:
    """Read the command line; a mistake ends the program with a message."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names())}")
    parser.add_argument("--logs", type=Path, help="keep made logs in this folder, and use them")
    parser.add_argument("--repetitions", type=int, default=3, help="rounds (default 3)")
    parts = f"measure some parts of {' or '.join(PARTED)}"
    parser.add_argument("--only", nargs="+", default=[], metavar="PART", help=parts)
    fewer = f"measure {' or '.join(QUICK)} with fewer simulated users; nothing is stored"
    parser.add_argument("--quick", action="store_true", help=fewer)
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(names()))
    if unknown:
        parser.error(f"found {', '.join(unknown)}; {', '.join(names())} are there")
    _check_parts(arguments, parser)
    if arguments.repetitions < 1:
        parser.error(f"--repetitions: found {arguments.repetitions}; 1 or more are accepted")
    return arguments


def _check_parts(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse parts that a benchmark does not have, and a quick run of one that has none."""
    name = arguments.names[0] if len(arguments.names) == 1 else ""
    if arguments.quick and name not in QUICK:
        parser.error(f"--quick: {', '.join(QUICK)} can do with fewer users; name one of them alone")
    if not arguments.only:
        return
    if name not in PARTED:
        parser.error(f"--only: {', '.join(PARTED)} have parts; name one of them alone")
    parts = importlib.import_module(f"benchmarks.{PREFIX}{name}").PARTS
    unknown = sorted(set(arguments.only) - set(parts))
    if unknown:
        parser.error(f"--only: found {', '.join(unknown)}; {', '.join(parts)} are accepted")


if __name__ == "__main__":
    main()
