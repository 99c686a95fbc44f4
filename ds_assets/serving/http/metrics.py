"""Metrics of the workers, in Prometheus text format.

Requests are counted in plain dictionaries and lists, at next to no cost for a request; the client
library only writes the text.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ds_assets.serving.health import BreakerState, Counts, Health

BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Upper bounds of the histogram's buckets, in seconds; one more bucket is for slower requests."""


@dataclass(slots=True)
class Latency:
    """Histogram of the durations of one route's requests.

    Attributes:
        buckets: Number of requests between one bound and the next.
        seconds: Sum of the durations.
    """

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


@dataclass(slots=True)
class RequestMetrics:
    """Requests that one worker has replied to.

    Attributes:
        requests: Number of requests, by route and status.
        latencies: Durations, by route.
    """

    requests: dict[str, dict[int, int]] = field(default_factory=dict)
    latencies: dict[str, Latency] = field(default_factory=dict)

    def record(self, route: str, status: int, seconds: float) -> None:
        """Record a request."""
        try:
            self.requests[route][status] += 1
        except KeyError:
            self.requests.setdefault(route, {})[status] = 1
            self.latencies.setdefault(route, Latency())
        latency = self.latencies[route]
        latency.buckets[bisect_left(BOUNDS, seconds)] += 1
        latency.seconds += seconds


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Metrics of one worker at one time.

    Attributes:
        http: Requests that it has replied to.
        in_flight: Requests for answers that are under way.
        counts: Answers by source, and use of the cache.
        health: State of the prediction service and its dependencies.
    """

    http: RequestMetrics
    in_flight: int
    counts: Counts
    health: Health


_Samples = Callable[[Snapshot], Iterable[tuple[Sequence[str], float]]]


def _present(value: float | None) -> list[tuple[Sequence[str], float]]:
    """The only sample of a family, if there is a value."""
    return [] if value is None else [((), value)]


_COUNTERS: tuple[tuple[str, str, tuple[str, ...], _Samples], ...] = (
    (
        "ds_assets_http_requests",
        "HTTP requests.",
        ("route", "status"),
        lambda snapshot: (
            ((route, str(status)), number)
            for route, statuses in snapshot.http.requests.items()
            for status, number in statuses.items()
        ),
    ),
    (
        "ds_assets_answers",
        "Answers by source.",
        ("source",),
        lambda snapshot: (
            ((source,), number) for source, number in snapshot.counts.sources.items()
        ),
    ),
    (
        "ds_assets_cache_hits",
        "Users found in the cache.",
        (),
        lambda snapshot: [((), snapshot.counts.cache_hits)],
    ),
    (
        "ds_assets_cache_misses",
        "Users not found in the cache.",
        (),
        lambda snapshot: [((), snapshot.counts.cache_misses)],
    ),
)
_GAUGES: tuple[tuple[str, str, tuple[str, ...], _Samples], ...] = (
    (
        "ds_assets_http_requests_at_once",
        "Requests for answers in flight.",
        (),
        lambda snapshot: [((), snapshot.in_flight)],
    ),
    (
        "ds_assets_breaker_state",
        "State of the circuit breaker of each dependency: 1 for the current state.",
        ("part", "state"),
        lambda snapshot: (
            ((name, state), state == current)
            for name, current in snapshot.health.breakers.items()
            for state in get_args(BreakerState)
        ),
    ),
    (
        "ds_assets_degraded",
        "1 for each dependency that is degraded.",
        ("part",),
        lambda snapshot: (((name,), 1) for name in snapshot.health.degraded),
    ),
    (
        "ds_assets_data_age_seconds",
        "Seconds since the end of the newest day with predictions.",
        (),
        lambda snapshot: _present(snapshot.health.age_seconds),
    ),
    (
        "ds_assets_model_info",
        "Version of each model in use: always 1.",
        ("kind", "version"),
        lambda snapshot: ((model, 1) for model in snapshot.health.models.items()),
    ),
)


def render_metrics(workers: Mapping[str, Snapshot]) -> bytes:
    """Render snapshots by worker in Prometheus text format."""
    registry = CollectorRegistry()
    registry.register(_Workers(workers))
    return generate_latest(registry)


class _Workers(Collector):
    """Metrics of all workers, as families of the client library."""

    def __init__(self, workers: Mapping[str, Snapshot]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        for name, description, labels, samples in _COUNTERS:
            counter = CounterMetricFamily(name, description, labels=[*labels, "worker"])
            self._fill(counter, samples)
            yield counter
        for name, description, labels, samples in _GAUGES:
            gauge = GaugeMetricFamily(name, description, labels=[*labels, "worker"])
            self._fill(gauge, samples)
            yield gauge
        yield self._latencies()

    def _fill(self, family: CounterMetricFamily | GaugeMetricFamily, samples: _Samples) -> None:
        for worker, snapshot in self._workers.items():
            for labels, value in samples(snapshot):
                family.add_metric([*labels, worker], value)

    def _latencies(self) -> HistogramMetricFamily:
        name, description = (
            "ds_assets_http_request_seconds",
            "Duration of HTTP requests in seconds.",
        )
        family = HistogramMetricFamily(name, description, labels=["route", "worker"])
        bounds = [*map(str, BOUNDS), "+Inf"]
        for worker, snapshot in self._workers.items():
            for route, latency in snapshot.http.latencies.items():
                buckets = list(zip(bounds, accumulate(latency.buckets), strict=True))
                family.add_metric([route, worker], buckets, latency.seconds)
        return family
