"""Users scored at the time of the request, from features or raw events that the request holds."""

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from ds_assets.core.group_defaults import ALL_USERS
from ds_assets.core.prediction_json import encode_record
from ds_assets.core.user_ids import normalize_user_id
from ds_assets.errors import InputError
from ds_assets.serving.answer import NOT_ASKED, Calendar, LookupResult
from ds_assets.serving.circuit_breaker import DependencyUnavailable
from ds_assets.serving.coalescing import Coalescer
from ds_assets.serving.sources import LiveLoading, Records, Sources
from ds_assets.serving.user_ids import MAX_USERS_PER_REQUEST

_MAX_CALLS = 1


@dataclass(frozen=True, slots=True)
class UserToScore:
    """A user to score.

    Attributes:
        user_id: The user.
        features: The user's features by name; none if events are given.
        events: The user's recent events as in the game's logs; none if features are given.
        group: User group whose defaults are the answer if the user cannot be scored.
    """

    user_id: str
    features: Mapping[str, Any] | None
    events: Sequence[Mapping[str, Any]] | None
    group: str = ALL_USERS


@dataclass(frozen=True, eq=False)
class _FeaturesRequest:
    """The users of one request; compared by identity, so that no two requests share a result."""

    users: Sequence[Mapping[str, Any]]


class LiveScoring:
    """Scores users with the live model; requests with features are scored together.

    Args:
        sources: The sources, of which the live model scores.
        calendar: When days end.
        clock: Seconds since 1970-01-01, UTC.
    """

    def __init__(
        self, sources: Sources, calendar: Calendar, clock: Callable[[], float] = time.time
    ) -> None:
        self._sources, self._calendar, self._clock = sources, calendar, clock
        self._scorers = {
            reasons: Coalescer(
                partial(self._score_requests, reasons), MAX_USERS_PER_REQUEST, _MAX_CALLS
            )
            for reasons in (False, True)
        }

    async def score(
        self, users: Sequence[UserToScore], deadline: float, *, reasons: bool
    ) -> list[LookupResult]:
        """Score users, in their order; one that cannot be scored now is not conclusive.

        Args:
            users: The users.
            deadline: Time of the event loop after which the model is no longer waited for.
            reasons: Whether to explain the predictions, which takes longer.

        Raises:
            InputError: what is given of a user cannot be scored; `UnusableEventsError` names all
                events that are none.
        """
        results: dict[int, LookupResult] = {}
        for score in (self._score_features, self._score_events):
            with suppress(DependencyUnavailable, LiveLoading, TimeoutError):
                async with asyncio.timeout_at(deadline):
                    results |= await score(users, reasons)
        return [results.get(position, NOT_ASKED) for position in range(len(users))]

    async def _score_features(
        self, users: Sequence[UserToScore], reasons: bool
    ) -> dict[int, LookupResult]:
        """Score the users whose features are given; results by position."""
        given = {
            position: {**user.features, "user_id": user.user_id}
            for position, user in enumerate(users)
            if user.features is not None
        }
        if not given:
            return {}
        request = _FeaturesRequest([*given.values()])
        results = await self._scorers[reasons].get(request, len(given))
        return dict(zip(given, results, strict=True))

    async def _score_requests(
        self, reasons: bool, requests: Sequence[_FeaturesRequest]
    ) -> Sequence[Sequence[LookupResult] | Exception]:
        """Score the users of several requests in one call of the model."""
        users = [user for request in requests for user in request.users]
        try:
            results = iter(await self._call_model(users, reasons))
        except InputError as error:
            if len(requests) == 1:
                return [error]
            # A mistake in one request must not fail the others.
            alone = [await self._score_requests(reasons, [request]) for request in requests]
            return [result for (result,) in alone]
        return [list(islice(results, len(request.users))) for request in requests]

    async def _call_model(
        self, users: Sequence[Mapping[str, Any]], reasons: bool
    ) -> Sequence[LookupResult]:
        def work() -> list[LookupResult]:
            records = self._sources.live.score_features(users, reasons=reasons)
            return [LookupResult("live", encode_record(record)) for record in records]

        return await self._sources.call("live", work)

    async def _score_events(
        self, users: Sequence[UserToScore], reasons: bool
    ) -> dict[int, LookupResult]:
        """Score the users whose events are given; results by position."""
        positions = {
            position: normalize_user_id(user.user_id)
            for position, user in enumerate(users)
            if user.events
        }
        if not positions:
            return {}
        lines = [json.dumps(event) for user in users for event in user.events or ()]
        day = self._calendar.today(self._clock())

        def work() -> dict[str, LookupResult]:
            records = self._sources.live.score_lines(lines, day, reasons=reasons)
            _check_owners(records, positions.values())
            return {
                record["user_id"]: LookupResult("live", encode_record(record)) for record in records
            }

        scored = await self._sources.call("live", work)
        return {
            position: scored[user_id]
            for position, user_id in positions.items()
            if user_id in scored
        }


def _check_owners(records: Records, user_ids: Collection[str]) -> None:
    """Check that the events were those of the users in the request.

    Raises:
        InputError: they were not.
    """
    for record in records:
        if record["user_id"] not in user_ids:
            raise InputError(
                f"an event belongs to the user {ascii(record['user_id'])[:80]}, who is not in the "
                "request; send with each user the events of that user"
            )
