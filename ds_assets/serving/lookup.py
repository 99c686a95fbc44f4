"""Predictions of users: from the cache, else the results table, else the live model.

Scope: the order of the sources, request coalescing, and what is remembered about users for whom the
sources know nothing more.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from cachetools import TTLCache

from ds_assets.core.prediction_json import EncodedPrediction, encode_record
from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.format import Deliveries
from ds_assets.serving.answer import NOT_ASKED, UNKNOWN, LookupResult, Source
from ds_assets.serving.background import BackgroundTasks
from ds_assets.serving.circuit_breaker import DependencyUnavailable
from ds_assets.serving.coalescing import Coalescer
from ds_assets.serving.newest_day import NewestDay
from ds_assets.serving.sources import Records, Sources
from ds_assets.serving.user_ids import MAX_USERS_PER_REQUEST

_NEGATIVE_TTL_S, _MAX_REMEMBERED_USERS = 30, 100_000
"""How long, and for how many users, it is remembered that no source knows more."""
_MAX_CACHE_CALLS, _MAX_FALLBACK_CALLS = 1, 2
"""Coalesced calls under way."""
_MAX_BATCHES = 4
"""Requests for many users that ask the cache at the same time."""

_log = logging.getLogger(__name__)


class PredictionLookup:
    """Looks up the newest prediction of users.

    Args:
        sources: The sources.
        newest_day: The newest day; a prediction of an earlier day is looked for elsewhere, too.
        background: Runs the writes to the cache.
    """

    def __init__(
        self, sources: Sources, newest_day: NewestDay, background: BackgroundTasks
    ) -> None:
        self._sources, self._newest_day, self._background = sources, newest_day, background
        self._batches = asyncio.Semaphore(_MAX_BATCHES)
        size = MAX_USERS_PER_REQUEST
        self._cached = Coalescer(self._fetch_cached, size, _MAX_CACHE_CALLS)
        self._fallbacks = Coalescer(self._query_fallbacks, size, _MAX_FALLBACK_CALLS)
        # The newest day at which it was found out: with a newer day the memory is void.
        self._unknown: TTLCache[str, int] = TTLCache(_MAX_REMEMBERED_USERS, _NEGATIVE_TTL_S)
        self._confirmed: TTLCache[str, int] = TTLCache(_MAX_REMEMBERED_USERS, _NEGATIVE_TTL_S)

    async def find_one(self, user_id: str, deadline: float) -> LookupResult:
        """Look up one user, together with others who are looked up at the same time.

        Args:
            user_id: The user.
            deadline: Time of the event loop after which sources are no longer waited for.
        """
        cached = await self._cached.get(user_id)
        if cached is not None and self._is_newest(user_id, cached):
            return LookupResult("cache", cached)
        return (await self._find_fallbacks({user_id: cached}, deadline))[user_id]

    async def find_many(
        self, user_ids: Sequence[str], deadline: float
    ) -> Mapping[str, LookupResult]:
        """Look up users, with one request to each source.

        Args:
            user_ids: The users, each once.
            deadline: As for `find_one`.
        """
        cached: Sequence[EncodedPrediction | None] = [None] * len(user_ids)
        with suppress(TimeoutError):
            # The time spent waiting for a turn must not count as the cache's.
            async with asyncio.timeout_at(deadline), self._batches:
                cached = await self._fetch_cached(user_ids)
        results: dict[str, LookupResult] = {}
        others: dict[str, EncodedPrediction | None] = {}
        for user_id, prediction in zip(user_ids, cached, strict=True):
            if prediction is not None and self._is_newest(user_id, prediction):
                results[user_id] = LookupResult("cache", prediction)
            else:
                others[user_id] = prediction
        return results | await self._find_fallbacks(others, deadline) if others else results

    async def _fetch_cached(self, user_ids: Sequence[str]) -> Sequence[EncodedPrediction | None]:
        days, predictions = await self._sources.fetch_cached(user_ids)
        if days is not None:
            self._newest_day.update_from_cache(days)
        return predictions

    def _is_newest(self, user_id: str, cached: EncodedPrediction) -> bool:
        """Whether no source can have a newer prediction than the cached one."""
        newest = self._newest_day.as_of
        return cached.as_of >= newest or self._confirmed.get(user_id) == newest

    async def _find_fallbacks(
        self, cached: Mapping[str, EncodedPrediction | None], deadline: float
    ) -> dict[str, LookupResult]:
        """Ask the other sources for users whose cached prediction is missing or outdated."""
        newest = self._newest_day.as_of
        fallbacks: Sequence[LookupResult] = [NOT_ASKED] * len(cached)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                fallbacks = await asyncio.gather(*map(self._fallbacks.get, cached))
        results = {}
        for (user_id, outdated), fallback in zip(cached.items(), fallbacks, strict=True):
            results[user_id] = _newer(outdated, fallback)
            if results[user_id] is not fallback and fallback.is_conclusive:
                self._confirmed[user_id] = newest
        return results

    async def _query_fallbacks(self, user_ids: Sequence[str]) -> Sequence[LookupResult]:
        """Look up users in the results table; score the misses with the live model."""
        newest = self._newest_day.as_of
        unknown = {user for user in user_ids if self._unknown.get(user) == newest}
        possible = [user for user in user_ids if user not in unknown]
        results, table_answered = await self._query("table", possible)
        missing = [user for user in possible if user not in results]
        scored, live_answered = await self._query("live", missing)
        results |= scored
        if table_answered and live_answered:
            found_nowhere = {user for user in missing if user not in scored}
            self._unknown.update(dict.fromkeys(found_nowhere, newest))
            unknown |= found_nowhere
        return [results.get(user, UNKNOWN if user in unknown else NOT_ASKED) for user in user_ids]

    async def _query(
        self, source: Source, user_ids: Sequence[str]
    ) -> tuple[dict[str, LookupResult], bool]:
        """Ask a source for users; whether it answered is the second result."""
        if not user_ids:
            return {}, True
        query = self._sources.results.latest if source == "table" else self._sources.live.score
        deliveries = self._sources.cached_days.deliveries

        def work() -> tuple[Records, dict[str, LookupResult]]:
            records = query(user_ids)
            return records, {
                record["user_id"]: LookupResult(source, encode_record(record)) for record in records
            }

        try:
            records, results = await self._sources.call(source, work)
        except DependencyUnavailable:
            return {}, False
        if records and not self._background.is_busy and self._is_cache_up:
            self._background.start(self._store_in_cache(records, deliveries))
        return results, True

    @property
    def _is_cache_up(self) -> bool:
        return self._sources.dependencies["cache"].is_healthy

    async def _store_in_cache(self, records: Records, deliveries: Deliveries) -> None:
        cache = self._sources.cache
        try:
            await self._sources.run("cache", lambda: cache.put_records(records, deliveries))
        except CacheUnavailable as error:
            _log.warning("could not store predictions of other sources in the cache: %s", error)


def _newer(cached: EncodedPrediction | None, fallback: LookupResult) -> LookupResult:
    """The newer of the cached prediction and that of another source."""
    fallback_day = 0 if fallback.prediction is None else fallback.prediction.as_of
    if cached is None or cached.as_of < fallback_day:
        return fallback
    return LookupResult("cache", cached, fallback.is_conclusive)
