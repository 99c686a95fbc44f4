"""What one worker has done, and how it stands: for /metrics.

Belongs here: counting, at next to no cost for a request, and the sum of it in Prometheus' format.
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
"""Upper bounds of the histogram's buckets, in seconds; one more is for all that takes longer."""


@dataclass(slots=True)
class Latency:
    """How long requests of one route took.

    Attributes:
        buckets: Requests between one bound and the next.
        seconds: Seconds of all of them.
    """

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


@dataclass(slots=True)
class Figures:
    """Requests that one worker has answered.

    Attributes:
        requests: How many, by route and status.
        latencies: How long they took, by route.
    """

    requests: dict[str, dict[int, int]] = field(default_factory=dict)
    latencies: dict[str, Latency] = field(default_factory=dict)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
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
    """A worker at one time.

    Attributes:
        figures: What it has answered.
        at_once: Requests that it is answering.
        counts: Where the answers came from.
        health: How those stand who answer.
    """

    figures: Figures
    at_once: int
    counts: Counts
    health: Health


_Samples = Callable[[Snapshot], Iterable[tuple[Sequence[str], float]]]

_COUNTERS: tuple[tuple[str, str, tuple[str, ...], _Samples], ...] = (
    (
        "ds_assets_http_requests",
        "Requests answered.",
        ("route", "status"),
        lambda at: (
            ((route, str(status)), number)
            for route, statuses in at.figures.requests.items()
            for status, number in statuses.items()
        ),
    ),
    (
        "ds_assets_answers",
        "Answers, by where they came from.",
        ("source",),
        lambda at: (((source,), number) for source, number in at.counts.sources.items()),
    ),
    (
        "ds_assets_cache_hits",
        "Users found in the cache.",
        (),
        lambda at: [((), at.counts.cache_hits)],
    ),
    (
        "ds_assets_cache_misses",
        "Users looked for in the cache and not found.",
        (),
        lambda at: [((), at.counts.cache_misses)],
    ),
)
_GAUGES: tuple[tuple[str, str, tuple[str, ...], _Samples], ...] = (
    (
        "ds_assets_http_requests_at_once",
        "Questions being answered.",
        (),
        lambda at: [((), at.at_once)],
    ),
    (
        "ds_assets_breaker_state",
        "1 for the state that the circuit breaker around a part is in.",
        ("part", "state"),
        lambda at: (
            ((part, state), state == found)
            for part, found in at.health.breakers.items()
            for state in get_args(BreakerState)
        ),
    ),
    (
        "ds_assets_degraded",
        "1 for each part that is not as it should be.",
        ("part",),
        lambda at: (((part,), 1) for part in at.health.degraded),
    ),
    (
        "ds_assets_data_age_seconds",
        "Seconds since the end of the newest day that is answered from.",
        (),
        lambda at: [] if at.health.age_seconds is None else [((), at.health.age_seconds)],
    ),
    (
        "ds_assets_model_info",
        "1 for each model that answers.",
        ("kind", "version"),
        lambda at: ((model, 1) for model in at.health.models.items()),
    ),
)


def exposed(workers: Mapping[str, Snapshot]) -> bytes:
    """Snapshots of workers, by their names, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Workers(workers))
    return generate_latest(registry)


class _Workers(Collector):
    """All workers' figures, as families that the client library writes out."""

    def __init__(self, workers: Mapping[str, Snapshot]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        for name, words, labels, samples in _COUNTERS:
            counter = CounterMetricFamily(name, words, labels=[*labels, "worker"])
            self._fill(counter, samples)
            yield counter
        for name, words, labels, samples in _GAUGES:
            gauge = GaugeMetricFamily(name, words, labels=[*labels, "worker"])
            self._fill(gauge, samples)
            yield gauge
        yield self._latencies()

    def _fill(self, family: CounterMetricFamily | GaugeMetricFamily, samples: _Samples) -> None:
        for worker, snapshot in self._workers.items():
            for labels, value in samples(snapshot):
                family.add_metric([*labels, worker], value)

    def _latencies(self) -> HistogramMetricFamily:
        name = "ds_assets_http_request_seconds"
        family = HistogramMetricFamily(name, "Seconds of a request.", labels=["route", "worker"])
        bounds = [*map(str, BOUNDS), "+Inf"]
        for worker, snapshot in self._workers.items():
            for route, latency in snapshot.figures.latencies.items():
                buckets = list(zip(bounds, accumulate(latency.buckets), strict=True))
                family.add_metric([route, worker], buckets, latency.seconds)
        return family
