"""The prediction service: first the cache, then the table, then the live model.

Belongs here: the order of the sources, what happens when one is down, and the limits of a request.
Does not belong here: HTTP, the sources themselves, and Dagster.
"""

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ds_assets.errors import InputError
from ds_assets.resources.cache import PredictionCache
from ds_assets.resources.cache_connection import CacheUnavailable
from ds_assets.resources.results_database import KEY_LENGTH, ResultsDatabase, ResultsUnavailable
from ds_assets.serving.prediction import Prediction, Source, prediction_of, unknown_user

MOST_USERS = 1_000
"""Most users of one request."""

Records = Mapping[str, Mapping[str, Any]]
"""Values by the names of `PREDICTIONS`' columns, by user."""

_log = logging.getLogger(__name__)


class LiveUnavailable(Exception):  # noqa: N818 - it names a state, not a fault of the caller
    """The live model cannot answer now."""


class LiveModel(Protocol):
    """Scores users at once, from what is stored about them."""

    def score(self, user_ids: Sequence[str]) -> Records:
        """Predictions of those users that can be scored; the others are left out.

        Raises:
            LiveUnavailable: it cannot answer now, for example because there is no model yet.
        """
        ...


@dataclass
class Answers:
    """Answers to one request.

    Attributes:
        answers: One for each user asked for, in their order.
        hits: Different users found, by each source that was asked.
        misses: Different users not found, by each source that was asked.
        degraded: Sources that were down. Without them an answer may be older than it need be, or
            a user unknown who is not.
    """

    answers: list[Prediction] = field(default_factory=list)
    hits: dict[Source, int] = field(default_factory=dict)
    misses: dict[Source, int] = field(default_factory=dict)
    degraded: list[Source] = field(default_factory=list)


class PredictionService:
    """Answers what is predicted for users. It may be shared by threads.

    Args:
        cache: Asked first; what is found elsewhere is put into it.
        results: Asked for what the cache has not.
        live: Asked for what neither has.
        zone: The game's time zone, in which its days end.
    """

    def __init__(
        self, cache: PredictionCache, results: ResultsDatabase, live: LiveModel, zone: dt.tzinfo
    ) -> None:
        self._cache = cache
        self._results = results
        self._live = live
        self._zone = zone

    def answer(self, user_ids: Sequence[str]) -> Answers:
        """What is predicted for each of these users.

        A source that is down is left out and named in `degraded`; it is never an error.

        Args:
            user_ids: 1,000 at most, each of 1 to 191 characters; one may come twice.

        Raises:
            InputError: the ids break these limits.
        """
        _check(user_ids)
        answers = Answers()
        missing = list(dict.fromkeys(user_ids))
        found: dict[str, Prediction] = {}
        sources: list[tuple[Source, Callable[[Sequence[str]], Records]]] = [
            ("cache", self._in_cache),
            ("table", self._in_table),
            ("live", self._live.score),
        ]
        for source, look in sources:
            if missing:
                found |= self._found(answers, source, look, missing)
                missing = [user_id for user_id in missing if user_id not in found]
        answers.answers = [found.get(user_id) or unknown_user(user_id) for user_id in user_ids]
        return answers

    def _found(
        self,
        answers: Answers,
        source: Source,
        look: Callable[[Sequence[str]], Records],
        user_ids: list[str],
    ) -> dict[str, Prediction]:
        try:
            records = look(user_ids)
        except (CacheUnavailable, ResultsUnavailable, LiveUnavailable) as error:
            _leave_out(answers, source, error)
            records = {}
        known = [records[user_id] for user_id in user_ids if user_id in records]
        if known and source != "cache" and "cache" not in answers.degraded:
            self._remember(answers, known)
        answers.hits[source] = len(known)
        answers.misses[source] = len(user_ids) - len(known)
        now = dt.datetime.now(dt.UTC)
        return {
            record["user_id"]: prediction_of(record, source, now, self._zone) for record in known
        }

    def _in_cache(self, user_ids: Sequence[str]) -> Records:
        records = self._cache.get_many(user_ids)
        return {record["user_id"]: record for record in records if record}

    def _in_table(self, user_ids: Sequence[str]) -> Records:
        return {record["user_id"]: record for record in self._results.current(user_ids)}

    def _remember(self, answers: Answers, records: Sequence[Mapping[str, Any]]) -> None:
        try:
            self._cache.put_records(records)
        except CacheUnavailable as error:
            _leave_out(answers, "cache", error)


def _leave_out(answers: Answers, source: Source, error: Exception) -> None:
    _log.warning("an answer does without the %s: %s", source, error)
    answers.degraded.append(source)


def _check(user_ids: Sequence[str]) -> None:
    if isinstance(user_ids, str):
        raise InputError("user ids must be a list; found a single text")
    if len(user_ids) > MOST_USERS:
        raise InputError(f"{len(user_ids):,} user ids were asked for; accepted are {MOST_USERS:,}")
    for position, user_id in enumerate(user_ids):
        if not (isinstance(user_id, str) and _is_id(user_id)):
            raise InputError(
                f"user id {position + 1} is {ascii(user_id)[:80]}; accepted is a text of 1 to "
                f"{KEY_LENGTH} characters"
            )


def _is_id(user_id: str) -> bool:
    try:
        user_id.encode()  # JSON can hold half a character
    except UnicodeEncodeError:
        return False
    return 1 <= len(user_id) <= KEY_LENGTH
