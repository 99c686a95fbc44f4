"""The plan: pure functions of measured figures, assumptions and prices.

Scope: arithmetic. Beyond the measured points a figure is the line through the last two of them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.bench_sizes import MYSQL, RAW_LOGS, TABLES
from benchmarks.scale.assumptions import Assumptions
from benchmarks.scale.prices import Price, PriceName
from benchmarks.scale.results import Figures

SECONDS_PER_HOUR, SECONDS_PER_DAY = 3600, 86_400
HOURS_PER_MONTH = 730
DAYS_PER_MONTH = HOURS_PER_MONTH / 24
GB, GIB = 1e9, 2**30
LIFETIME_DAYS = 28
"""Days between two roll-ups of lifetimes."""
SMALL_MACHINES = 2
"""For Dagster's daemon, webserver and code location."""
AWS_EGRESS: tuple[tuple[PriceName, float], ...] = (
    ("aws_egress_first", 10_240),
    ("aws_egress_second", 40_960),
    ("aws_egress_third", 102_400),
    ("aws_egress_rest", math.inf),
)
"""Steps of the price, with the GB a month of each."""
BLOB: tuple[tuple[PriceName, float], ...] = (
    ("blob_gb_first", 51_200),
    ("blob_gb_second", 460_800),
    ("blob_gb_rest", math.inf),
)


@dataclass(frozen=True)
class StoredDay:
    """A day of a table or of logs.

    Attributes:
        name: Of the table.
        rows: Of a day; of logs the events.
        size_bytes: Of all rows.
        days: How many such days are kept.
    """

    name: str
    rows: float
    size_bytes: float
    days: float

    @property
    def kept_bytes(self) -> float:
        """Bytes of all kept days."""
        return self.size_bytes * self.days


@dataclass(frozen=True)
class Part:
    """A part of a day's run that passes through one process.

    Attributes:
        name: What it does.
        basis: What its figure was measured by.
        fixed: Seconds, or MB, at any size.
        growing: Seconds, or MB, at the planned size that grow in proportion to it.
        limit: Seconds, or MB, that it may take.
        unit: `s` or `MB`.
        is_counted: Whether its seconds are also in those of another part.
    """

    name: str
    basis: str
    fixed: float
    growing: float
    limit: float
    unit: str = "s"
    is_counted: bool = False

    @property
    def total(self) -> float:
        """Seconds, or MB, at the planned size."""
        return self.fixed + self.growing

    @property
    def capacity(self) -> float:
        """The largest size within the limit, as a multiple of the planned one."""
        if self.fixed > self.limit:
            return 0.0
        return (self.limit - self.fixed) / self.growing if self.growing else math.inf


@dataclass(frozen=True)
class Cluster:
    """Work on logs and features, which grows with events and can be shared.

    Attributes:
        core_hours: A day, on DuckDB.
        overhead: Time on Spark over that on DuckDB on as many cores; none if not measured.
        hours: In which it has to be done.
    """

    core_hours: float
    overhead: float | None
    hours: float

    @property
    def spark_core_hours(self) -> float | None:
        """Core hours a day on Spark; none if its overhead was not measured."""
        return None if self.overhead is None else self.core_hours * self.overhead

    @property
    def cores(self) -> int | None:
        """Cores of a Spark cluster that does it in time; none if its overhead was not measured."""
        hours = self.spark_core_hours
        return None if hours is None else math.ceil(hours / self.hours)


@dataclass(frozen=True)
class Serving:
    """What answers of the API need.

    Attributes:
        peak_requests: Requests per second.
        workers_by_rate: Workers for these at the measured rate.
        workers_by_limit: Workers for these of one key, with the default rate limit.
        redis_gib: Of one copy of all users, with the reserve: without reasons, and with them.
        redis_nodes: With replicas, for values with reasons.
    """

    peak_requests: float
    workers_by_rate: int
    workers_by_limit: int
    redis_gib: tuple[float, float]
    redis_nodes: int

    @property
    def workers(self) -> int:
        """Workers for both, and two at least: one may be restarted."""
        return max(2, self.workers_by_rate, self.workers_by_limit)


@dataclass(frozen=True)
class Cost:
    """A line of the bill.

    Attributes:
        name: What for.
        amount: How much of it a month; none if not measured.
        unit: Of the amount.
        dollars: A month; none if the amount was not measured.
        prices: The prices that it was computed with.
    """

    name: str
    amount: float | None
    unit: str
    dollars: float | None
    prices: tuple[PriceName, ...]


def raw_bytes(assumptions: Assumptions) -> float:
    """Compressed bytes of a day's logs."""
    return assumptions.events * assumptions.bytes_per_event


def count_raw_files(assumptions: Assumptions) -> int:
    """Files of a day's logs."""
    return math.ceil(raw_bytes(assumptions) / (assumptions.file_mb * 1e6))


def list_stored_days(figures: Figures, assumptions: Assumptions) -> list[StoredDay]:
    """Days of logs and tables in the lake."""
    it = assumptions
    rows = {
        "event_ids": it.events,
        "user_activity": it.daily_players,
        "user_features": it.active_users,
        "user_lifetimes": it.all_users,
        "predictions": it.active_users,
    }
    days = dict.fromkeys(TABLES, float(it.table_days)) | {
        "user_lifetimes": math.ceil(it.table_days / LIFETIME_DAYS)
    }
    tables = [
        StoredDay(name, rows[name], rows[name] * figures.bytes_per_row[name], days[name])
        for name in TABLES
    ]
    return [StoredDay(RAW_LOGS, it.events, raw_bytes(it), it.raw_days), *tables]


def compute_results_bytes(bytes_per_row: float, assumptions: Assumptions) -> float:
    """Bytes that the results database keeps."""
    return bytes_per_row * assumptions.active_users * assumptions.results_days


def compute_cluster(figures: Figures, assumptions: Assumptions) -> Cluster:
    """Work on logs and features that grows with events."""
    seconds = figures.seconds.per_event * assumptions.events
    hours = seconds * figures.cores / SECONDS_PER_HOUR
    return Cluster(hours, figures.spark_overhead, assumptions.hours)


def list_parts(figures: Figures, assumptions: Assumptions) -> list[Part]:
    """What passes through one process, in the order of a day's run."""
    limit = assumptions.hours * SECONDS_PER_HOUR
    users, seconds, memory = assumptions.active_users, figures.seconds, figures.memory_mb
    trained = figures.training_seconds * max(1.0, figures.training_growth)
    profiles = figures.profile_seconds * users
    of_events = seconds.per_event * assumptions.events
    gigabyte = 1_000
    return [
        Part("copies logs", "copy_logs", 0, raw_bytes(assumptions) / figures.copy_bytes, limit),
        Part("reads logs on DuckDB, without Spark", "growth_events", 0, of_events, limit),
        Part(
            "does all that grows with users",
            "growth_users",
            seconds.fixed,
            seconds.per_user * users,
            limit,
        ),
        Part("trains on a sample", "day, training", trained, 0, limit, is_counted=True),
        Part("profiles clusters", "day", 0, profiles, limit, is_counted=True),
        Part("delivers to MySQL", "results_database", 0, users / figures.delivered_rows, limit),
        Part("fills Redis", "cache", 0, users / figures.cached_users, limit),
        Part(
            "holds in memory, with the logs on Spark",
            "growth_users",
            memory.fixed,
            memory.per_user * users,
            assumptions.run_machine_gb * gigabyte,
            "MB",
        ),
    ]


def compute_run_hours(figures: Figures, assumptions: Assumptions) -> float:
    """Hours a day of the machine that runs the graph; while Spark reads logs, it waits for it."""
    parts = [it for it in list_parts(figures, assumptions) if it.unit == "s" and not it.is_counted]
    reading = figures.seconds.per_event * assumptions.events
    seconds = sum(part.total for part in parts) - reading
    return assumptions.hours + seconds / SECONDS_PER_HOUR


def rank_parts(parts: list[Part]) -> list[Part]:
    """Parts by the size at which they exceed their limit, the first to break first."""
    return sorted(parts, key=lambda part: part.capacity)


def compute_serving(figures: Figures, assumptions: Assumptions, requests_per_key: float) -> Serving:
    """What answers need.

    Args:
        figures: The rate of a worker, and the memory of a user.
        assumptions: Requests, and users in Redis.
        requests_per_key: Rate limit of a key, per worker and second.
    """
    it = assumptions
    peak = it.daily_players * it.requests / SECONDS_PER_DAY * it.peak
    without, with_reasons = (
        size * it.cached_users / (1 - it.reserve) / GIB for size in figures.cache_bytes
    )
    return Serving(
        peak_requests=peak,
        workers_by_rate=math.ceil(peak / (figures.answers * it.load)),
        workers_by_limit=math.ceil(peak / requests_per_key),
        redis_gib=(without, with_reasons),
        redis_nodes=math.ceil(with_reasons / it.redis_node_gib) * (1 + it.replicas),
    )


def compute_azure_egress(stored: list[StoredDay], assumptions: Assumptions) -> float:
    """Bytes that an engine outside Azure reads from the lake in a day, at least.

    Raw logs once, earlier ids of events, and the activity of the longest window.
    """
    size = {day.name: day.size_bytes for day in stored}
    ids = size["event_ids"] * assumptions.duplicate_days
    return size[RAW_LOGS] + ids + size["user_activity"] * assumptions.window_days


def compute_written_bytes(stored: list[StoredDay]) -> float:
    """Bytes of tables that are written to the lake in a day; lifetimes are not written daily."""
    tables = (day for day in stored if day.name != RAW_LOGS)
    return sum(
        day.size_bytes / (LIFETIME_DAYS if day.name == "user_lifetimes" else 1) for day in tables
    )


def price_in_steps(
    amount: float, steps: tuple[tuple[PriceName, float], ...], prices: Mapping[PriceName, Price]
) -> float:
    """Dollars for an amount whose price falls in steps."""
    dollars = 0.0
    for name, width in steps:
        part = min(amount, width)
        dollars += part * prices[name].value
        amount -= part
    return dollars


def list_costs(
    figures: Figures, assumptions: Assumptions, serving: Serving, prices: Mapping[PriceName, Price]
) -> list[Cost]:
    """The bill of a month, line by line."""
    stored = list_stored_days(figures, assumptions)
    run_hours = compute_run_hours(figures, assumptions) * DAYS_PER_MONTH
    core_hours = compute_cluster(figures, assumptions).spark_core_hours
    of_month = None if core_hours is None else core_hours * DAYS_PER_MONTH
    results = compute_results_bytes(figures.bytes_per_row[MYSQL], assumptions) / GB
    return [
        *_price_stores(stored, assumptions, prices),
        _cost("Spark", of_month, "core hours", "spark_core", prices),
        _cost("the machine that runs the graph", run_hours, "hours", "run_machine", prices),
        _cost("MySQL, two zones", 2.0 * HOURS_PER_MONTH, "hours", "mysql", prices),
        _cost("storage of MySQL", results, "GB", "mysql_gb", prices),
        *_price_services(serving, prices),
    ]


def _price_stores(
    stored: list[StoredDay], assumptions: Assumptions, prices: Mapping[PriceName, Price]
) -> Iterator[Cost]:
    raw = raw_bytes(assumptions) / GB
    month = raw * DAYS_PER_MONTH
    reads = count_raw_files(assumptions) * DAYS_PER_MONTH / 1_000
    lake = sum(day.kept_bytes for day in stored) / GB
    back = compute_azure_egress(stored, assumptions) / GB * DAYS_PER_MONTH
    yield _cost("S3, logs", raw * assumptions.source_days, "GB", "s3_gb", prices)
    yield _cost("S3, reads of logs", reads, "1,000 requests", "s3_reads", prices)
    written = compute_written_bytes(stored) / GB * DAYS_PER_MONTH
    of_logs, of_both = (price_in_steps(it, AWS_EGRESS, prices) for it in (month, month + written))
    yield Cost("logs from S3 to Azure Blob", month, "GB", of_logs, _names(AWS_EGRESS))
    of_tables = of_both - of_logs
    yield Cost(
        "tables of an engine in AWS to the lake", written, "GB", of_tables, _names(AWS_EGRESS)
    )
    yield Cost("Azure Blob, lake", lake, "GB", price_in_steps(lake, BLOB, prices), _names(BLOB))
    yield _cost("lake to an engine in AWS", back, "GB", "azure_egress", prices)


def _price_services(serving: Serving, prices: Mapping[PriceName, Price]) -> Iterator[Cost]:
    """Services that run all the time."""
    services: tuple[tuple[str, int, PriceName], ...] = (
        ("Redis", serving.redis_nodes, "redis_node"),
        ("API, one machine for two workers", math.ceil(serving.workers / 2), "small_machine"),
        ("Dagster", SMALL_MACHINES, "small_machine"),
        ("Dagster's PostgreSQL", 1, "dagster_database"),
        ("Kubernetes", 1, "kubernetes"),
        ("load balancer", 1, "balancer"),
    )
    for name, count, price in services:
        yield _cost(name, float(count * HOURS_PER_MONTH), "hours", price, prices)


def _cost(
    name: str,
    amount: float | None,
    unit: str,
    price: PriceName,
    prices: Mapping[PriceName, Price],
) -> Cost:
    dollars = None if amount is None else amount * prices[price].value
    return Cost(name, amount, unit, dollars, (price,))


def _names(steps: tuple[tuple[PriceName, float], ...]) -> tuple[PriceName, ...]:
    return tuple(name for name, _ in steps)
