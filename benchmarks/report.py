"""Figures as rows, and rows as a table and as JSON.

Scope: what a row contains, and when its goal is met.
"""

import datetime as dt
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field
from rich.console import Console
from rich.table import Table

PACKAGES = (
    "azure-storage-blob",
    "boto3",
    "dagster",
    "duckdb",
    "isal",
    "lightgbm",
    "numpy",
    "onnxruntime",
    "pandas",
    "polars",
    "psycopg",
    "pyarrow",
    "pymysql",
    "pyspark",
    "redis",
    "scikit-learn",
    "sqlframe",
)


class Goal(BaseModel):
    """What a value has to be."""

    model_config = ConfigDict(frozen=True)

    comparison: Literal["<=", "<", ">=", ">", "="]
    limit: float

    def __str__(self) -> str:
        return f"{self.comparison} {self.limit:,g}"

    def holds(self, value: float) -> bool:
        """Whether a value is what it has to be."""
        return {
            "<=": value <= self.limit,
            "<": value < self.limit,
            ">=": value >= self.limit,
            ">": value > self.limit,
            "=": value == self.limit,
        }[self.comparison]


class Place(BaseModel):
    """Where a figure is in a picture of its benchmark."""

    model_config = ConfigDict(frozen=True)

    series: str
    """Name of its line; empty where the picture has a single one."""
    at: float
    """Where on the horizontal axis."""


class Row(BaseModel):
    """One figure."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: float | None
    """The median, or of a ratio the median of `values` over that of `control_values`; none where it
    was not measured."""
    unit: str
    control: str | None
    """What it was measured against in the same run; none for an absolute figure."""
    goal: Goal | None = None
    values: list[float]
    """What was measured in each round."""
    control_values: list[float] = []
    place: Place | None = None
    """Its place in the picture; none for a figure of a benchmark without one."""

    @computed_field  # type: ignore[prop-decorator]  # as pydantic asks for it
    @property
    def holds(self) -> bool | None:
        """Whether the goal holds; none without a goal, or where it was not measured."""
        if self.goal is None or self.value is None:
            return None
        return self.goal.holds(self.value)


class Report(BaseModel):
    """What one benchmark found, and where."""

    benchmark: str
    rows: list[Row]
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    commit: str
    """Short name of the commit; `-dirty` follows where files differ from it."""
    time: dt.datetime


def absolute(name: str, values: Sequence[float], unit: str, goal: Goal | None = None) -> Row:
    """A figure without a control."""
    value = statistics.median(values)
    return Row(name=name, value=value, unit=unit, control=None, goal=goal, values=list(values))


def ratio(
    name: str,
    values: Sequence[float],
    control: str,
    control_values: Sequence[float],
    goal: Goal | None = None,
) -> Row:
    """A figure as a multiple of the control's."""
    value = statistics.median(values) / statistics.median(control_values)
    return Row(
        name=name,
        value=round(value, 4),
        unit="ratio",
        control=control,
        goal=goal,
        values=list(values),
        control_values=list(control_values),
    )


def not_run(name: str, control: str, goal: Goal | None = None) -> Row:
    """A ratio that was not measured, because the control is not installed."""
    return Row(name=name, value=None, unit="ratio", control=control, goal=goal, values=[])


def report_of(benchmark: str, rows: Sequence[Row]) -> Report:
    """Rows with where and when they were measured."""
    return Report(
        benchmark=benchmark,
        rows=list(rows),
        machine=machine(),
        versions={"python": platform.python_version()} | _installed(PACKAGES),
        commit=commit(),
        time=dt.datetime.now(dt.UTC).replace(microsecond=0),
    )


def write_report(report: Report, folder: Path) -> Path:
    """Write `NAME.json` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.benchmark}.json"
    path.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return path


def print_report(report: Report, console: Console) -> None:
    """Print the rows as a table."""
    table = Table(title=f"{report.benchmark}  ({report.commit})", title_justify="left")
    for heading in ("figure", "value", "unit", "against", "goal", "holds"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    marks = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}
    for row in report.rows:
        goal = "" if row.goal is None else str(row.goal)
        value = "not run" if row.value is None else f"{row.value:,.4g}"
        table.add_row(row.name, value, row.unit, row.control or "", goal, marks[row.holds])
    console.print(table)


def machine() -> dict[str, str | int | float]:
    """What the machine is made of; nothing that says whose it is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _cpu(),
        "memory_gb": round(memory / 2**30, 1),
        "system": platform.system(),
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def commit() -> str:
    """Short name of the checked-out commit, with `-dirty` where files differ from it.

    Outside a git checkout it is not known, and says so.
    """
    here = Path(__file__).parent
    name = _git(["rev-parse", "--short", "HEAD"], here) or "unknown"
    # Results that an earlier benchmark of the same call wrote are no change of what is measured.
    changed = _git(["status", "--porcelain", "--", ":/", ":(exclude,top)benchmarks/results"], here)
    return f"{name}-dirty" if changed else name


def _git(arguments: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607  (the git of the user)
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _installed(packages: Sequence[str]) -> dict[str, str]:
    """Versions of those packages that are there: a peer is installed only to be measured."""
    versions = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
