"""Figures of stored results, as the plan needs them.

Scope: which rows of which results; what is extrapolated from them is in `plan`.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_activity_features import EVENTS
from benchmarks.bench_copy_logs import SHAPES
from benchmarks.bench_sizes import MYSQL, RAW_LOGS, TABLES
from benchmarks.bench_training import TIMES
from benchmarks.report import Report, Row
from ds_assets.errors import InputError

COMMANDS: Mapping[str, str] = {
    "growth_events": 'make bench-growth ARGS="--only events"',
    "growth_users": 'make bench-growth ARGS="--only users"',
    "day": 'make bench ARGS="day"',
    "training": 'make bench ARGS="training"',
    "sizes": 'make bench ARGS="sizes"',
    "copy_logs": 'make bench ARGS="copy_logs"',
    "results_database": 'make bench ARGS="results_database"',
    "cache": 'make bench ARGS="cache"',
    "serving": "make bench-serving",
    "activity_features": 'make bench ARGS="activity_features"',
}
"""The results that the plan needs, with the command that makes each."""
SPARK, SPARK_ROW = "spark", "user_activity, Spark local[2]: time"
"""The result that is used if it exists: reading logs on Spark, over DuckDB on as many cores."""
_COPY = "200 of 5 MB"
_CHOOSING = "a day with choices"
_TRAINED = ("clusters", "churn_model", "payment_model")


@dataclass(frozen=True)
class Curve:
    """A figure at two sizes or more, ascending: pairs of size and value.

    Between and beyond its points it is the line through the last two. A line that falls is taken as
    flat, as more events or users cannot make a day cheaper.
    """

    points: tuple[tuple[float, float], ...]

    @property
    def slope(self) -> float:
        """Growth of the value per unit of size."""
        (x_0, y_0), (x_1, y_1) = self.points[-2:]
        return max(0.0, (y_1 - y_0) / (x_1 - x_0))

    def at(self, size: float) -> float:
        """The value at a size."""
        x, y = self.points[-1]
        return y + self.slope * (size - x)


@dataclass(frozen=True)
class Growth:
    """A figure of a day's run that grows with events and with users.

    Attributes:
        events: Against events a day, with the users of the first point of `users`.
        users: Against active users, with as many events each as the first point of `events` has.
    """

    events: Curve
    users: Curve

    @property
    def per_event(self) -> float:
        """Growth per event of the day."""
        return self.events.slope

    @property
    def per_user(self) -> float:
        """Growth per active user, without that by their events."""
        events_per_user = self.events.points[0][0] / self.users.points[0][0]
        return max(0.0, self.users.slope - events_per_user * self.per_event)

    @property
    def fixed(self) -> float:
        """What does not grow."""
        users = self.users.points[0][0]
        return max(0.0, self.events.at(0) - self.per_user * users)

    def at(self, events: float, users: float) -> float:
        """The figure of a day with so many events and active users."""
        return self.fixed + self.per_event * events + self.per_user * users


@dataclass(frozen=True)
class Figures:
    """What was measured.

    Attributes:
        cores: Of the machine that measured `seconds`.
        seconds: Of a day's run in one process, on DuckDB.
        memory_mb: Peak memory of that process.
        batch_core_seconds: Core seconds per million events, logs to features without other steps.
        spark_overhead: Time of reading logs on Spark over that on DuckDB; none if not measured.
        profile_seconds: Of `cluster_profiles`, per active user.
        training_seconds: Of clusters and both built-in targets, on a day with choices.
        training_growth: Its time with `TIMES` times the users, as a ratio.
        copy_bytes: Per second, S3 to Azure Blob.
        delivered_rows: Per second, into MySQL.
        cached_users: Per second, into Redis.
        cache_bytes: Of Redis per user without reasons, and with them.
        answers: Requests for one user per second, of one worker.
        bytes_per_row: Of each table of the lake, of a delivered row in `MYSQL`, and per event of
            `RAW_LOGS`.
    """

    cores: int
    seconds: Growth
    memory_mb: Growth
    batch_core_seconds: float
    spark_overhead: float | None
    profile_seconds: float
    training_seconds: float
    training_growth: float
    copy_bytes: float
    delivered_rows: float
    cached_users: float
    cache_bytes: tuple[float, float]
    answers: float
    bytes_per_row: Mapping[str, float]


def find_missing(folder: Path) -> list[str]:
    """Names of the needed results that are not stored in a folder."""
    return [name for name in COMMANDS if not (folder / f"{name}.json").exists()]


def read_reports(folder: Path) -> dict[str, Report]:
    """Read the results that the plan uses, by name.

    Raises:
        InputError: a needed one does not exist.
    """
    if missing := find_missing(folder):
        listed = ", ".join(f"{name}.json (`{COMMANDS[name]}`)" for name in missing)
        raise InputError(f"the plan needs results that do not exist in {folder}: {listed}")
    optional = [SPARK] if (folder / f"{SPARK}.json").exists() else []
    return {
        name: Report.model_validate_json((folder / f"{name}.json").read_bytes())
        for name in [*COMMANDS, *optional]
    }


def read_figures(reports: Mapping[str, Report]) -> Figures:
    """Take the figures of the plan out of the results.

    Raises:
        InputError: a row is missing.
    """
    events, users = reports["growth_events"], reports["growth_users"]
    batch, day = reports["activity_features"], reports["day"]
    profiles = _value(day, f"{_CHOOSING}, cluster_profiles: time")
    return Figures(
        cores=int(events.machine["cores"]),
        seconds=Growth(_curve(events, "s"), _curve(users, "s")),
        memory_mb=Growth(_curve(events, "MB"), _curve(users, "MB")),
        batch_core_seconds=_median(batch, "time") * int(batch.machine["cores"]) / (EVENTS / 1e6),
        spark_overhead=_value(reports[SPARK], SPARK_ROW, "ratio") if SPARK in reports else None,
        profile_seconds=profiles / _value(day, f"{_CHOOSING}: active users"),
        training_seconds=sum(_value(day, f"{_CHOOSING}, {it}: time") for it in _TRAINED),
        training_growth=_value(reports["training"], f"{TIMES} times the users, {_CHOOSING}"),
        copy_bytes=math.prod(SHAPES[_COPY]) * _median(reports["copy_logs"], f"rate, {_COPY}"),
        delivered_rows=_median(reports["results_database"], "rows a second into MySQL"),
        cached_users=_median(reports["cache"], "users a second"),
        cache_bytes=_read_cache_bytes(reports["cache"]),
        answers=_median(reports["serving"], "GET: predictions a second"),
        bytes_per_row=_read_bytes(reports["sizes"]),
    )


def _read_cache_bytes(report: Report) -> tuple[float, float]:
    name = "memory of Redis a user"
    return _value(report, name), _value(report, f"{name} with reasons")


def _read_bytes(report: Report) -> dict[str, float]:
    names = (RAW_LOGS, *TABLES, MYSQL)
    return {name: _value(report, f"{name}: bytes per row") for name in names}


def _curve(report: Report, unit: str) -> Curve:
    """The points of a report with a unit."""
    rows = [row for row in report.rows if row.unit == unit and row.value is not None]
    points = sorted((row.place.at, row.value) for row in rows if row.place and row.value)
    if len(points) < 2:
        raise InputError(
            f"{report.benchmark}.json has {len(points)} points in {unit}; a line needs two or more"
        )
    return Curve(tuple(points))


def _value(report: Report, name: str, unit: str | None = None) -> float:
    value = _row(report, name, unit).value
    if value is None:
        raise InputError(f"{report.benchmark}.json: `{name}` was not measured")
    return value


def _median(report: Report, name: str) -> float:
    """The figure itself where the value of a row is a ratio."""
    return statistics.median(_row(report, name).values)


def _row(report: Report, name: str, unit: str | None = None) -> Row:
    """The first row of a name, and of a unit if figures of several have that name."""
    rows = [row for row in report.rows if row.name == name and unit in {None, row.unit}]
    if not rows:
        raise InputError(f"{report.benchmark}.json has no row `{name}`, which the plan needs")
    return rows[0]
