"""Run measured processes one after the other: each contestant is a module, run as one process.

Scope: starting them, their order, and reading what they report.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from rich.console import Console

ROOT = Path(__file__).parents[1]

Measured: TypeAlias = dict[str, float]
"""What a process said: seconds, peak_rss_mb, and counts of what it did."""

Arguments: TypeAlias = Callable[[Path], Sequence[str | Path]]
"""Arguments of a contestant, given the folder of its round; all contestants of a round share it."""


@dataclass(frozen=True)
class Circumstances:
    """How a benchmark is to be run.

    Attributes:
        repetitions: How often each contestant runs.
        logs: Folder in which made logs are kept.
        scratch: Empty folder of this benchmark; it is deleted afterwards.
        only: Parts of the benchmark to measure; empty for all.
        quick: Whether fewer users will do; such figures are not stored.
    """

    repetitions: int
    logs: Path
    scratch: Path
    only: tuple[str, ...] = ()
    quick: bool = False

    def within(self, scratch: Path) -> "Circumstances":
        """The same in a folder of its own."""
        return replace(self, scratch=scratch)

    def round(self, number: int) -> Path:
        """Folder of a round, counted from 0."""
        return self.scratch / f"round-{number}"

    @property
    def last_round(self) -> Path:
        """Folder of the last round, with what the contestants left in it."""
        return self.round(self.repetitions - 1)


def run_child(module: str, arguments: Sequence[str | Path], folder: Path) -> Measured:
    """Run a module of this package as a process of its own, in a folder.

    Raises:
        subprocess.CalledProcessError: it failed; it has said why on standard error.
    """
    with start_child(module, arguments, folder) as child:
        try:
            out, _ = child.communicate()
        except BaseException:  # whoever interrupts this process must not wait for the child
            child.kill()
            raise
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, child.args, out)
    measured: Measured = json.loads(out.splitlines()[-1])
    return measured


def start_child(
    module: str, arguments: Sequence[str | Path], folder: Path
) -> "subprocess.Popen[str]":
    """Start a module of this package as a process of its own, in a folder."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    environment = environment_of_a_child(os.environ)
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def environment_of_a_child(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without an installation's settings: they must not change what is measured."""
    kept = (name for name in environment if not name.startswith(("DS_ASSETS_", "DAGSTER_")))
    return {name: environment[name] for name in kept} | {"PYTHONPATH": str(ROOT)}


def interleave(
    contestants: Mapping[str, Arguments], circumstances: Circumstances
) -> dict[str, list[Measured]]:
    """Run all contestants once in each round, so that a slow minute of the machine hits them all.

    Args:
        contestants: Arguments of each, by module below this package, in the order of a round.
        circumstances: How often, and where.

    Returns:
        What each said in each round.
    """
    results: dict[str, list[Measured]] = {module: [] for module in contestants}
    for number in range(circumstances.repetitions):
        folder = circumstances.round(number)
        folder.mkdir()
        for module, arguments in contestants.items():
            measured = run_child(module, arguments(folder), folder)
            say(f"  round {number + 1}  {module:<28} {json.dumps(measured)}")
            results[module].append(measured)
    return results


def values(runs: Iterable[Measured], name: str) -> list[float]:
    """One number of each run."""
    return [run[name] for run in runs]


def say(text: str) -> None:
    """Report progress on the console."""
    Console(stderr=True, highlight=False).print(text, soft_wrap=True, markup=False)


def made_logs(events: int, days: int, circumstances: Circumstances) -> Path:
    """Folder with the logs of `make_logs`, made now if it does not exist."""

    def make(folder: Path) -> None:
        say(f"  making {events:,} events in {days} files")
        run_child("make_logs", [str(events), str(days), folder], folder)

    return made_once(circumstances.logs / f"{events}-events-{days}-days", make)


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """A folder, made now if it does not exist.

    A folder that exists is complete: it is renamed to its name at the end.
    """
    if not folder.exists():
        unfinished = folder.with_suffix(f".{os.getpid()}")
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder
