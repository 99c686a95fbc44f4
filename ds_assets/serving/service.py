"""The prediction service: answers from the cache, the results table, the live model or a default.

Scope: what a request goes through, from ids to answers. HTTP is in `http/`; the sources and their
order are in `sources.py` and `lookup.py`.
"""

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from ds_assets.core.group_defaults import ALL_USERS
from ds_assets.core.user_ids import normalize_user_id
from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.serving.answer import Answer, AnswerEncoder, Calendar, LookupResult
from ds_assets.serving.background import BackgroundTasks
from ds_assets.serving.health import Counts, Health
from ds_assets.serving.live_scoring import LiveScoring, UserToScore
from ds_assets.serving.lookup import PredictionLookup
from ds_assets.serving.newest_day import NewestDay
from ds_assets.serving.ownership import Ownership
from ds_assets.serving.sources import REQUEST_TIMEOUT_S, LiveModel, Sources
from ds_assets.serving.user_ids import check_user_id, check_user_ids

REFRESH_INTERVAL_S = 2.0
_WARM_UP_TIMEOUT_S = 2.0
"""For each source: one that is lost must not keep the service from starting."""


class PredictionService:
    """Answers what is predicted for users, on one event loop.

    Call `refresh` once before the first request, run `keep_fresh` in a service that lives long, and
    `close` it in the end.

    Args:
        cache: Asked first; what other sources know is stored in it.
        results: Asked for users whom the cache does not have.
        live: Asked for users whom neither has.
        calendar: When the days of the game end.
        timeout: Seconds within which a request is answered, whatever is down.
        clock: Seconds since 1970-01-01, UTC.
    """

    def __init__(
        self,
        cache: PredictionCache,
        results: ResultsDatabase,
        live: LiveModel,
        calendar: Calendar,
        timeout: float = REQUEST_TIMEOUT_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._calendar, self._timeout, self._clock = calendar, timeout, clock
        self._background = BackgroundTasks()
        self._sources = Sources(cache, results, live, timeout)
        self._newest_day = NewestDay(self._sources, self._background)
        self._ownership = Ownership(self._sources, self._newest_day)
        self._lookup = PredictionLookup(self._sources, self._newest_day, self._background)
        self._scoring = LiveScoring(self._sources, calendar, clock)
        self._encoder = AnswerEncoder(calendar, 0, 0)
        self._answers_by_source: Counter[str] = Counter()

    async def answer_one(self, user_id: str, group: str = ALL_USERS) -> Answer:
        """Answer what is predicted for one user.

        Args:
            user_id: A text of 1 to 191 characters.
            group: See `answer`.

        Raises:
            InputError: the id is not acceptable.
        """
        check_user_id(user_id)
        result = await self._lookup.find_one(normalize_user_id(user_id), self._deadline())
        return self._encode(self._current_encoder(), user_id, result, group)

    async def answer(self, user_ids: Sequence[str], group: str = ALL_USERS) -> list[Answer]:
        """Answer what is predicted for each of these users, in their order.

        A source that is down is never an error: the others answer.

        Args:
            user_ids: Up to 1,000, each of 1 to 191 characters; an id may be repeated.
            group: User group, such as `country=KR`, whose defaults are the answer for users about
                whom nothing else is known.

        Raises:
            InputError: the ids exceed these limits.
        """
        check_user_ids(user_ids)
        stored_ids = [normalize_user_id(user_id) for user_id in user_ids]
        distinct = list(dict.fromkeys(stored_ids))
        results = await self._lookup.find_many(distinct, self._deadline())
        encoder = self._current_encoder()
        return [
            self._encode(encoder, user_id, results[stored_id], group)
            for user_id, stored_id in zip(user_ids, stored_ids, strict=True)
        ]

    async def score(self, users: Sequence[UserToScore], *, reasons: bool) -> list[Answer]:
        """Score users with the current models as they are now, in their order.

        Args:
            users: Up to 1,000.
            reasons: Whether to explain the predictions, which takes longer.

        Raises:
            InputError: what is given of a user cannot be scored.
        """
        check_user_ids([user.user_id for user in users])
        results = await self._scoring.score(users, self._deadline(), reasons=reasons)
        encoder = self._current_encoder()
        return [
            self._encode(encoder, user.user_id, result, user.group)
            for user, result in zip(users, results, strict=True)
        ]

    def health(self) -> Health:
        """State of the service and its dependencies, from memory."""
        dependencies, as_of = self._sources.dependencies, self._newest_day.as_of
        degraded = {name for name, dependency in dependencies.items() if not dependency.is_healthy}
        if self._sources.live.load_error:
            degraded.add("live")  # it scores with an earlier day, if at all
        now = self._clock()
        return Health(
            degraded=tuple(name for name in dependencies if name in degraded),
            as_of=dt.date.fromordinal(as_of) if as_of else None,
            age_seconds=self._calendar.age(as_of, now) if as_of else None,
            lag_days=self._calendar.lag_days(as_of, now) if as_of else None,
            foreign=tuple(name for name, it in dependencies.items() if it.is_foreign),
            models=self._newest_day.defaults.models,
            breakers={name: dependency.breaker.state for name, dependency in dependencies.items()},
        )

    def counts(self) -> Counts:
        """Counters since the start."""
        sources = self._sources
        return Counts(dict(self._answers_by_source), sources.cache_hits, sources.cache_misses)

    async def keep_fresh(self) -> None:
        """Look for a newer day until cancelled, even without requests; the live model loads it."""
        loaded = self._newest_day.as_of
        while True:
            await asyncio.sleep(REFRESH_INTERVAL_S)
            await self.refresh()
            if self._newest_day.as_of > loaded or self._sources.live.load_error:
                loaded = self._newest_day.as_of
                self._sources.live.start_refresh()

    async def warm(self) -> None:
        """Connect to the cache and load the live model, so that the first requests need not wait.

        A source that is down is left to the requests.
        """
        pinging = asyncio.ensure_future(self._sources.run("cache", self._sources.cache.ping))
        if loading := self._sources.live.start_refresh():
            await asyncio.to_thread(loading.join, _WARM_UP_TIMEOUT_S)
        with suppress(CacheUnavailable, TimeoutError):
            await asyncio.wait_for(pinging, _WARM_UP_TIMEOUT_S)

    async def refresh(self) -> None:
        """Look for a newer day, in stores that are not another installation's."""
        await self._ownership.check()
        await self._newest_day.refresh()

    async def close(self) -> None:
        """Finish what is under way, if that takes no longer than a request, and disconnect."""
        self._ownership.close()
        await self._background.finish(self._timeout)
        await self._sources.close()

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout

    def _current_encoder(self) -> AnswerEncoder:
        moment = self._newest_day.as_of, int(self._clock())
        if self._encoder.moment != moment:
            self._encoder = AnswerEncoder(self._calendar, *moment)
        return self._encoder

    def _encode(
        self, encoder: AnswerEncoder, user_id: str, result: LookupResult, group: str
    ) -> Answer:
        self._answers_by_source[result.source] += 1
        prediction, is_conclusive = result.prediction, result.is_conclusive
        if prediction is not None:
            return encoder.encode(user_id, result.source, prediction, is_conclusive=is_conclusive)
        defaults = self._newest_day.defaults
        members = defaults.of_group(group)
        return encoder.encode_default(user_id, defaults.as_of, members, is_conclusive=is_conclusive)
