"""The prediction service: the cache, then the table, then the live model, then a default.

Belongs here: the order of the sources, and what an answer says when one of them is down. Does not
belong here: HTTP, the sources themselves, and Dagster.
"""

import asyncio
import datetime as dt
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec
from cachetools import TTLCache

from ds_assets.core.prediction_json import NOTHING, members_of
from ds_assets.errors import InputError, Unavailable
from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.format import CachedPrediction, DayRecord, defaults_told
from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import KEY_LENGTH, ResultsDatabase, ResultsUnavailable
from ds_assets.serving.answer import Calendar, Source, Teller
from ds_assets.serving.batching import Batcher
from ds_assets.serving.circuit_breaker import Part, PartDown
from ds_assets.serving.coalescing import Coalescer
from ds_assets.serving.health import Counts, Health

MOST_USERS = 1_000
"""Most users of one request."""
WITHIN_SECONDS = 1.0
"""Time in which a request is answered, whatever is down."""
PATIENCE_SECONDS = 60.0
"""The same for answers that a person asks for: servers may have to be started first."""
_SHARES: Mapping[Source, float] = {"cache": 0.1, "table": 0.3, "live": 0.4}
"""Of that time, for each source. A miss may have to wait for one before it, whose table does not
answer either: there is time for both, and for the live model after them."""
_THREADS: Mapping[Source, int] = {"cache": 2, "table": 8, "live": 4}
"""Each source has its own: those that wait for a server that is gone hold up nobody else."""
REFRESH_SECONDS = 2.0
_REMEMBERED_SECONDS, _MOST_REMEMBERED = 30, 100_000
"""How long, and of how many users, it is remembered that no source knows more."""
_CACHE_QUESTIONS, _MISS_QUESTIONS = 1, 2
"""Open at once; what comes meanwhile goes with the next, as one."""
_CACHE_TURNS = 4
"""Requests for many users that ask the cache at once."""
_WARM_SECONDS = 2
"""At most, for each; a server that is lost must not keep the service from answering."""
_MOST_BESIDE = 4

EVERYBODY = ""
"""The group of all users."""
Records = Sequence[Mapping[str, Any]]
"""Values by the names of `PREDICTIONS`' columns."""
Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)


class LiveUnavailable(Unavailable):
    """The live model cannot answer now."""


class StillLoading(Exception):
    """The live model loads what it needs for the question; that is no sign of anything down."""


class LiveModel(Protocol):
    """Scores users at once, from what is stored about them."""

    @property
    def trouble(self) -> str | None:
        """Why the newest day is not loaded; none where it is, or nobody has looked yet."""
        ...

    def look(self) -> threading.Thread | None:
        """Begin to load the newest day, if it is not loaded; nobody waits for it.

        Returns:
            The thread that does it, or did it last.
        """
        ...

    def score(self, user_ids: Sequence[str]) -> Records:
        """Predictions of those users that can be scored; the others are left out.

        Raises:
            LiveUnavailable: it cannot answer now, for example because there is no model yet.
        """
        ...

    def score_features(self, users: Sequence[Mapping[str, Any]], *, reasons: bool) -> Records:
        """Predictions of users of whom all features are given, in their order.

        Raises:
            LiveUnavailable: as `score`.
            InputError: a feature is missing or has the wrong type.
        """
        ...

    def score_lines(self, lines: Sequence[str], as_of: dt.date, *, reasons: bool) -> Records:
        """Predictions of the users of raw events, as they are at the end of a day.

        Raises:
            StillLoading: nobody has asked before, or not long before.
            LiveUnavailable: as `score`.
            InputError: a line is no event.
        """
        ...


class Found(msgspec.Struct, frozen=True, gc=False):
    """What is known of a user.

    Attributes:
        source: Where it was found.
        as_of: Its day, as days since 0001-01-01, the first of which is 1; 0 for none.
        members: The prediction, see `prediction_json`.
        is_sure: Whether every source that could know better was asked.
    """

    source: Source
    as_of: int
    members: bytes
    is_sure: bool = True


_NOT_ASKED = Found("default", 0, b"", is_sure=False)


@dataclass(frozen=True, slots=True)
class ToScore:
    """A user to score now.

    Attributes:
        user_id: The user.
        features: What is known of the user, by the names of features; none where events say it.
        events: The user's recent events as the game's logs write them; none where features are
            given.
        group: See `PredictionService.answer`.
    """

    user_id: str
    features: Mapping[str, Any] | None
    events: Sequence[Mapping[str, Any]] | None
    group: str = EVERYBODY


class PredictionService:
    """Answers what is predicted for users, on one event loop.

    Who runs it calls `refresh` once and, if it is for long, `keep_fresh`; and `close` in the end.

    Args:
        cache: Asked first; what is found elsewhere is put into it.
        results: Asked for what the cache has not.
        live: Asked for what neither has.
        calendar: When the days of the game end.
        within: Seconds in which there is an answer, whatever is down.
        clock: Seconds since 1970-01-01, UTC.
    """

    def __init__(
        self,
        cache: PredictionCache,
        results: ResultsDatabase,
        live: LiveModel,
        calendar: Calendar,
        within: float = WITHIN_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cache, self._results, self._live = cache, results, live
        self._calendar, self._within, self._clock = calendar, within, clock
        self._parts: Mapping[Source, Part] = {
            "cache": Part("cache", (CacheUnavailable,), within * _SHARES["cache"]),
            "table": Part("results table", (ResultsUnavailable,), within * _SHARES["table"]),
            "live": Part("live model", (LiveUnavailable,), within * _SHARES["live"]),
        }
        self._threads = {
            source: ThreadPoolExecutor(number, f"ds-assets-{source}")
            for source, number in _THREADS.items()
        }
        self._turns = asyncio.Semaphore(_CACHE_TURNS)
        self._cached = Coalescer(self._in_cache, MOST_USERS, _CACHE_QUESTIONS)
        self._missed = Coalescer(self._elsewhere, MOST_USERS, _MISS_QUESTIONS)
        self._scoring = {
            reasons: Batcher(partial(self._score_features, reasons), MOST_USERS)
            for reasons in (False, True)
        }
        self._unknown: TTLCache[str, None] = TTLCache(_MOST_REMEMBERED, _REMEMBERED_SECONDS)
        self._settled: TTLCache[str, None] = TTLCache(_MOST_REMEMBERED, _REMEMBERED_SECONDS)
        self._newest = 0
        self._teller = Teller(calendar, 0, 0)
        self._means = DayRecord(0, {})
        self._is_finding_means = False
        self._beside: set[asyncio.Task[None]] = set()
        self._sources: Counter[str] = Counter()
        self._asked = self._hits = 0

    async def answer_one(self, user_id: str, group: str = EVERYBODY) -> bytes:
        """What is predicted for a user, as JSON.

        Args:
            user_id: A text of 1 to 191 characters.
            group: See `answer`.

        Raises:
            InputError: it is not.
        """
        if not is_id(user_id):
            raise _no_id(1, user_id)
        deadline = self._deadline()
        cached = await self._cached.get(user_id)
        found = self._current(user_id, cached)
        if found is None:
            found = (await self._beyond_cache({user_id: cached}, deadline))[user_id]
        return self._tell(self._teller_now(), user_id, found, group)

    async def answer(self, user_ids: Sequence[str], group: str = EVERYBODY) -> list[bytes]:
        """What is predicted for each of these users, as JSON, in their order.

        A source that is down is left out; it is never an error.

        Args:
            user_ids: 1,000 at most, each of 1 to 191 characters; one may come twice.
            group: Where nothing is known of a user but this user group, such as `country=KR`: its
                means are the default.

        Raises:
            InputError: the ids break these limits.
        """
        check_ids(user_ids)
        deadline = self._deadline()
        different = list(dict.fromkeys(user_ids))
        found: dict[str, Found] = {}
        others: dict[str, CachedPrediction | None] = {}
        held: Sequence[CachedPrediction | None] = [None] * len(different)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline), self._turns:  # the wait is not the cache's
                held = await self._in_cache(different)
        for user_id, cached in zip(different, held, strict=True):
            current = self._current(user_id, cached)
            if current is None:
                others[user_id] = cached
            else:
                found[user_id] = current
        if others:
            found |= await self._beyond_cache(others, deadline)
        teller = self._teller_now()
        return [self._tell(teller, user_id, found[user_id], group) for user_id in user_ids]

    async def score(self, users: Sequence[ToScore], *, reasons: bool) -> list[bytes]:
        """What the current models say of users as they are now, as JSON, in their order.

        Args:
            users: 1,000 at most.
            reasons: Whether reasons are wanted; they take longer.

        Raises:
            InputError: what is given of a user cannot be scored.
        """
        check_ids([one.user_id for one in users])
        found = [_NOT_ASKED] * len(users)
        with suppress(PartDown, StillLoading, TimeoutError):
            async with asyncio.timeout_at(self._deadline()):
                await self._score_ready(users, reasons, found)
                await self._score_played(users, reasons, found)
        teller, told = self._teller_now(), zip(users, found, strict=True)
        return [self._tell(teller, one.user_id, it, one.group) for one, it in told]

    def health(self) -> Health:
        """How the service is now."""
        day = self._newest
        down = {name for name, part in self._parts.items() if not part.is_up}
        if self._live.trouble:
            down.add("live")  # it answers from a day that it has in memory, if from any
        return Health(
            degraded=tuple(name for name in self._parts if name in down),
            as_of=dt.date.fromordinal(day) if day else None,
            age_seconds=self._calendar.age(day, self._clock()) if day else None,
            models=self._models(),
            breakers={name: part.state for name, part in self._parts.items()},
        )

    def counts(self) -> Counts:
        """What was answered since the start."""
        return Counts(dict(self._sources), self._hits, self._asked - self._hits)

    async def keep_fresh(self) -> None:
        """Look for a newer day for ever, even while nobody asks; the live model loads it, too."""
        loaded = self._newest
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh()
            if self._newest > loaded or self._live.trouble:
                loaded = self._newest
                self._live.look()

    async def warm(self) -> None:
        """Connect to the cache, and have the live model load: the first who ask would wait for it.

        What is down is left to the requests.
        """
        connecting = asyncio.ensure_future(self._run("cache", self._cache.ping))
        if looking := self._live.look():
            await asyncio.to_thread(looking.join, _WARM_SECONDS)
        with suppress(CacheUnavailable, TimeoutError):
            await asyncio.wait_for(connecting, _WARM_SECONDS)

    async def refresh(self) -> None:
        """Look for a newer day; where the cache does not know of any, the table may.

        The cache goes first: the table has a day some time before all of it is in the cache.
        """
        day, _ = await self._fetch([])
        if day is not None:
            return
        try:
            newest = await self._in_thread("table", self._results.current_day)
        except PartDown:
            return
        if newest is not None:
            self._notice(newest.toordinal())
        if self._means.as_of < self._newest and not self._is_finding_means:
            self._start(self._find_means())

    async def close(self) -> None:
        """Let what is still under way come to its end, if it takes no longer than an answer."""
        if self._beside:
            await asyncio.wait(self._beside, timeout=self._within)
        for task in self._beside:
            task.cancel()
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)
        await self._cache.close_loop()

    def _models(self) -> dict[str, str]:
        """Version of each model of the newest day, by what it predicts."""
        means = self._means.defaults.get(EVERYBODY)
        told = {} if means is None else json.loads(b"{" + means)
        versions = {kind: told.get(f"{kind}_model") for kind in ("churn", "payment", "cluster")}
        return {kind: version for kind, version in versions.items() if version is not None}

    async def _score_ready(
        self, users: Sequence[ToScore], reasons: bool, found: list[Found]
    ) -> None:
        """Fill in what the live model says of users whose features are given."""
        given = {n: one for n, one in enumerate(users) if one.features is not None}
        if given:
            known = [{**(one.features or {}), "user_id": one.user_id} for one in given.values()]
            scored = await self._scoring[reasons].ask(known)
            for place, one in zip(given, scored, strict=True):
                found[place] = one

    async def _score_features(
        self, reasons: bool, users: Sequence[Mapping[str, Any]]
    ) -> Sequence[Found]:
        def work() -> list[Found]:
            records = self._live.score_features(users, reasons=reasons)
            return [_of_record("live", one) for one in records]

        return await self._in_thread("live", work)

    async def _score_played(
        self, users: Sequence[ToScore], reasons: bool, found: list[Found]
    ) -> None:
        """Fill in what the live model says of users whose events are given."""
        places = {n: one.user_id for n, one in enumerate(users) if one.events}
        lines = [json.dumps(event) for one in users for event in one.events or ()]
        if not lines:
            return
        day = self._calendar.today(self._clock())
        scored = await self._in_thread(
            "live", lambda: self._live.score_lines(lines, day, reasons=reasons)
        )
        _refuse_others(scored, places.values())
        told = _found("live", scored)
        for place, user_id in places.items():
            found[place] = told.get(user_id, _NOT_ASKED)

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._within

    def _notice(self, day: int, means: Mapping[str, bytes] | None = None) -> None:
        if day > self._newest:
            self._newest = day
            self._unknown.clear()
            self._settled.clear()
        if means is not None and day >= self._means.as_of:
            self._means = DayRecord(day, dict(means))

    async def _in_cache(self, user_ids: Sequence[str]) -> Sequence[CachedPrediction | None]:
        return (await self._fetch(user_ids))[1]

    async def _fetch(
        self, user_ids: Sequence[str]
    ) -> tuple[DayRecord | None, Sequence[CachedPrediction | None]]:
        try:
            day, found = await self._parts["cache"].ask(self._cache.fetch(user_ids))
        except PartDown:
            return None, [None] * len(user_ids)
        self._asked += len(user_ids)
        self._hits += len(user_ids) - found.count(None)
        if day is not None:
            self._notice(day.as_of, day.defaults)
        return day, found

    def _current(self, user_id: str, cached: CachedPrediction | None) -> Found | None:
        """What the cache has of a user, if nobody can have newer."""
        if cached is None or (cached.as_of < self._newest and user_id not in self._settled):
            return None
        return Found("cache", cached.as_of, cached.members)

    async def _beyond_cache(
        self, users: Mapping[str, CachedPrediction | None], deadline: float
    ) -> dict[str, Found]:
        """The newest there is of users of whom the cache has nothing, or nothing new."""
        found: Sequence[Found] = [_NOT_ASKED] * len(users)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                found = await asyncio.gather(*map(self._missed.get, users))
        return {
            user_id: self._newest_of(user_id, cached, other)
            for (user_id, cached), other in zip(users.items(), found, strict=True)
        }

    def _newest_of(self, user_id: str, cached: CachedPrediction | None, other: Found) -> Found:
        if cached is None or cached.as_of < other.as_of:
            return other
        if other.is_sure:
            self._settled[user_id] = None
        return Found("cache", cached.as_of, cached.members, other.is_sure)

    async def _elsewhere(self, user_ids: Sequence[str]) -> Sequence[Found]:
        """What the table knows, and of whom it knows nothing, the live model."""
        asked = [one for one in user_ids if one not in self._unknown]
        found, table_is_sure = await self._ask("table", asked)
        missing = [one for one in asked if one not in found]
        scored, live_is_sure = await self._ask("live", missing)
        found |= scored
        is_sure = table_is_sure and live_is_sure
        if is_sure:
            self._unknown.update(dict.fromkeys(one for one in missing if one not in found))
        unknown = Found("default", 0, b"")
        return [found.get(one, unknown if one in self._unknown else _NOT_ASKED) for one in user_ids]

    async def _ask(self, source: Source, user_ids: Sequence[str]) -> tuple[dict[str, Found], bool]:
        """What a source knows of users, and whether it could be asked."""
        if not user_ids:
            return {}, True
        look = self._results.latest if source == "table" else self._live.score

        def work() -> tuple[Records, dict[str, Found]]:
            records = look(user_ids)
            return records, _found(source, records)

        try:
            records, found = await self._in_thread(source, work)
        except PartDown:
            return {}, False
        if records and self._parts["cache"].is_up and len(self._beside) < _MOST_BESIDE:
            self._start(self._remember(records))
        return found, True

    def _teller_now(self) -> Teller:
        now = int(self._clock())
        if self._teller.moment != (self._newest, now):
            self._teller = Teller(self._calendar, self._newest, now)
        return self._teller

    def _tell(self, teller: Teller, user_id: str, found: Found, group: str) -> bytes:
        self._sources[found.source] += 1
        is_sure = found.is_sure
        if found.as_of:
            return teller.tell(user_id, found.source, found.as_of, found.members, is_sure=is_sure)
        defaults = self._means.defaults
        default = defaults.get(group) or defaults.get(EVERYBODY, NOTHING)
        return teller.tell_default(user_id, self._means.as_of, default, is_sure=is_sure)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the answers."""
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _remember(self, records: Records) -> None:
        """Put what was found elsewhere into the cache."""
        try:
            await self._run("cache", lambda: self._cache.put_records(records))
        except CacheUnavailable as error:
            _log.warning("what was found elsewhere is not in the cache: %s", error)

    async def _find_means(self) -> None:
        """Ask the table for the defaults of its newest day, all of which it has to read."""
        self._is_finding_means = True
        try:
            means = await self._run("table", self._results.defaults)
        except ResultsUnavailable as error:
            _log.warning("there are no defaults of the newest day: %s", error)
        else:
            for day in means["as_of"].to_pylist()[:1]:
                self._notice(day.toordinal(), defaults_told(means))
        finally:
            self._is_finding_means = False

    async def _in_thread(self, source: Source, work: Callable[[], Answer]) -> Answer:
        return await self._parts[source].ask(self._run(source, work))

    async def _run(self, source: Source, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads[source], work)


def _found(source: Source, records: Records) -> dict[str, Found]:
    return {record["user_id"]: _of_record(source, record) for record in records}


def _of_record(source: Source, record: Mapping[str, Any]) -> Found:
    return Found(source, record["as_of"].toordinal(), members_of(record))


def _refuse_others(records: Records, asked: Collection[str]) -> None:
    for record in records:
        if record["user_id"] not in asked:
            raise InputError(
                f"an event is of the user {ascii(record['user_id'])[:80]}, who is not asked about; "
                "send with each user the events of that user"
            )


def check_ids(user_ids: Sequence[str]) -> None:
    """Refuse what cannot be user ids.

    Raises:
        InputError: the message names the first that is not one.
    """
    if isinstance(user_ids, str):
        raise InputError("user ids must be a list; found a single text")
    if len(user_ids) > MOST_USERS:
        raise InputError(f"{len(user_ids):,} user ids were asked for; accepted are {MOST_USERS:,}")
    for place, user_id in enumerate(user_ids, start=1):
        if not is_id(user_id):
            raise _no_id(place, user_id)


def is_id(value: object) -> bool:
    """Whether it may be a user id."""
    return (
        isinstance(value, str)
        and 1 <= len(value) <= KEY_LENGTH
        and (value.isascii() or _is_whole(value))
    )


def _no_id(place: int, value: object) -> InputError:
    return InputError(
        f"user id {place} is {ascii(value)[:80]}; accepted is a text of 1 to {KEY_LENGTH} "
        "characters"
    )


def _is_whole(text: str) -> bool:
    try:
        text.encode()  # JSON can hold half a character
    except UnicodeEncodeError:
        return False
    return True
