"""The sources of answers: the cache, the results table and the live model.

Scope: calling each source within its timeout, on threads of its own and behind a circuit breaker of
its own. The order in which they are asked is in `lookup.py`.
"""

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from ds_assets.core.prediction_json import EncodedPrediction
from ds_assets.errors import Unavailable
from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.format import CachedDays
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import ResultsDatabase, ResultsUnavailable
from ds_assets.serving.answer import Source
from ds_assets.serving.circuit_breaker import Dependency, DependencyUnavailable

REQUEST_TIMEOUT_S = 1.0
"""Seconds within which a request is answered, whatever is down."""
INTERACTIVE_TIMEOUT_S = 60.0
"""The same when a person waits for the answer: servers may have to be started first."""
_TIMEOUT_SHARES: Mapping[Source, float] = {"cache": 0.1, "table": 0.3, "live": 0.4}
"""Timeout of each source, as a share of a request's. A miss may have to wait for an earlier query
of the table that times out: there is time for both, and then for the live model."""
_THREADS: Mapping[Source, int] = {"cache": 2, "table": 8, "live": 4}
"""Threads of each source, so that calls that hang hold up no other source."""

Records = Sequence[Mapping[str, Any]]
"""Rows of `PREDICTIONS`, as values by column."""
Result = TypeVar("Result")


class LiveUnavailable(Unavailable):
    """The live model cannot score now."""


class LiveLoading(Exception):
    """The live model is loading what it needs for this request; it has not failed."""


class LiveModel(Protocol):
    """Scores users at the time of the request."""

    @property
    def load_error(self) -> str | None:
        """Why the newest day could not be loaded; none if it could, or was not tried yet."""
        ...

    def lake_id(self) -> str | None:
        """Id of the lake that its models are from; none before the first delivery.

        Raises:
            InputError: the id is damaged.
            LakeUnavailable: the lake cannot be used.
        """
        ...

    def start_refresh(self) -> threading.Thread | None:
        """Start to load the newest day unless it is loaded; the caller does not wait.

        Returns:
            The thread that loads, or last did.
        """
        ...

    def score(self, user_ids: Sequence[str]) -> Records:
        """Score those of the users whose features are stored; the others are left out.

        Raises:
            LiveUnavailable: it cannot score now, for example because there is no model yet.
        """
        ...

    def score_features(self, users: Sequence[Mapping[str, Any]], *, reasons: bool) -> Records:
        """Score users from complete features, in their order.

        Raises:
            LiveUnavailable: as for `score`.
            InputError: a feature is missing or has the wrong type.
        """
        ...

    def score_lines(self, lines: Sequence[str], as_of: dt.date, *, reasons: bool) -> Records:
        """Score users from raw events, as of the end of a day.

        Raises:
            LiveLoading: this is the first such request, or comes soon after it.
            LiveUnavailable: as for `score`.
            UnusableEventsError: lines are not events.
        """
        ...


class Sources:
    """The sources, as dependencies of one event loop.

    Args:
        cache: The prediction cache.
        results: The results database.
        live: The live model.
        timeout: Seconds within which a request is answered.

    Attributes:
        dependencies: Timeout and circuit breaker of each source.
        cached_days: What the cache knew of days when it last answered.
        cache_hits: Users looked up in the cache and found.
        cache_misses: Users looked up in the cache and not found.
    """

    def __init__(
        self, cache: PredictionCache, results: ResultsDatabase, live: LiveModel, timeout: float
    ) -> None:
        self.cache, self.results, self.live = cache, results, live
        self.cache_hits = self.cache_misses = 0
        self.cached_days = CachedDays()
        cache_timeout, table_timeout, live_timeout = (
            timeout * _TIMEOUT_SHARES[source] for source in ("cache", "table", "live")
        )
        self.dependencies: Mapping[Source, Dependency] = {
            "cache": Dependency("cache", (CacheUnavailable,), cache_timeout),
            "table": Dependency("results table", (ResultsUnavailable,), table_timeout),
            "live": Dependency("live model", (LiveUnavailable,), live_timeout),
        }
        self._threads = {
            source: ThreadPoolExecutor(number, f"ds-assets-{source}")
            for source, number in _THREADS.items()
        }

    async def fetch_cached(
        self, user_ids: Sequence[str]
    ) -> tuple[CachedDays | None, Sequence[EncodedPrediction | None]]:
        """Fetch predictions from the cache, in the order of the users.

        Returns:
            What the cache knows of days, and the predictions, none for each that is missing. If
            the cache is unavailable, everything is missing.
        """
        try:
            days, predictions = await self.dependencies["cache"].call(self.cache.fetch(user_ids))
        except DependencyUnavailable:
            return None, [None] * len(user_ids)
        self.cached_days = days
        misses = predictions.count(None)
        self.cache_hits += len(user_ids) - misses
        self.cache_misses += misses
        return days, predictions

    async def call(self, source: Source, work: Callable[[], Result]) -> Result:
        """Run blocking work of a source on its threads, within its timeout.

        Raises:
            DependencyUnavailable: the source failed, timed out, or is not called now.
        """
        return await self.dependencies[source].call(self.run(source, work))

    async def run(self, source: Source, work: Callable[[], Result]) -> Result:
        """Run blocking work of a source on its threads, however long it takes."""
        return await asyncio.get_running_loop().run_in_executor(self._threads[source], work)

    async def close(self) -> None:
        """Stop the threads, and close the connections of this event loop."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)
        await self.cache.close_loop()
