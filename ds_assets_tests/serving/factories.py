"""Factories of prediction services, and calls of them."""

import asyncio
import datetime as dt
import gc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa

from ds_assets.infra.cache.prediction_cache import PredictionCache
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.serving.answer import Calendar, Prediction
from ds_assets.serving.service import PredictionService
from ds_assets.serving.sources import LiveUnavailable, Records
from ds_assets_tests.infra.factories import DAYS

ACTIVE_DAYS = 10
PATIENCE = 20.0
"""Timeout of tests that are not about time: a busy machine must not change the answer."""


class Live:
    """A live model that knows some users, and remembers its calls."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = {row["user_id"]: row for row in rows}
        self.asked: list[list[str]] = []
        self.refreshes = 0
        self.load_error: str | None = None
        self.lake: str | None = None

    def lake_id(self) -> str | None:
        return self.lake

    def start_refresh(self) -> None:
        self.refreshes += 1

    def score(self, user_ids: Sequence[str]) -> Records:
        self.asked.append(list(user_ids))
        return [self.rows[user_id] for user_id in user_ids if user_id in self.rows]

    def score_features(self, users: Sequence[Mapping[str, Any]], *, reasons: bool) -> Records:
        assert reasons
        return [self.rows[user["user_id"]] for user in users if user["user_id"] in self.rows]

    def score_lines(self, lines: Sequence[str], as_of: dt.date, *, reasons: bool) -> Records:
        assert reasons
        return [row | {"as_of": as_of} for row in self.rows.values()][: len(lines)]


class NoModel:
    load_error: str | None = None

    def lake_id(self) -> None:
        return None

    def start_refresh(self) -> None:
        pass

    def score(self, user_ids: Sequence[str]) -> Records:
        raise LiveUnavailable(f"there is no model yet for {len(user_ids)} users")

    def score_features(self, users: Sequence[Mapping[str, Any]], *, reasons: bool) -> Records:
        raise LiveUnavailable(f"there is no model yet for {len(users)} users: {reasons}")

    def score_lines(self, lines: Sequence[str], as_of: dt.date, *, reasons: bool) -> Records:
        raise LiveUnavailable(f"there is no model of {as_of} for {len(lines)} lines: {reasons}")


def end_of(day: dt.date) -> float:
    """The first moment after a day."""
    next_day = dt.datetime.combine(day + dt.timedelta(1), dt.time(), dt.UTC)
    return next_day.timestamp()


@asynccontextmanager
async def serving(
    cache: PredictionCache,
    results: ResultsDatabase,
    live: Any,
    timeout: float = PATIENCE,  # noqa: ASYNC109  (the service's)
    clock: Callable[[], float] = lambda: end_of(DAYS[1]) + 60,
) -> AsyncIterator[PredictionService]:
    """Open a service of a game with days in UTC, a minute after the second day."""
    calendar = Calendar(dt.UTC, ACTIVE_DAYS)
    service = PredictionService(cache, results, live, calendar, timeout, clock)
    # As a worker does: to look through all that hundreds of tests have left takes half a second.
    gc.freeze()
    try:
        yield service
    finally:
        gc.unfreeze()
        await service.close()


async def ask(service: PredictionService, *user_ids: str) -> list[Prediction]:
    """Answer one request; predictions of other sources are in the cache afterwards."""
    answers = await service.answer(user_ids)
    await all_done(service)
    return [answer.to_prediction() for answer in answers]


async def ask_each(service: PredictionService, *user_ids: str) -> list[Prediction]:
    """Answer one request per user, all at the same time."""
    answers = await asyncio.gather(*map(service.answer_one, user_ids))
    await all_done(service)
    return [answer.to_prediction() for answer in answers]


async def all_done(service: PredictionService) -> None:
    """Wait until no background task runs."""
    await service._background.finish()


def statements_of(results: ResultsDatabase) -> list[str]:
    """Record the statements that a database gets from now on."""
    statements: list[str] = []
    results.ensure_schema()
    sa.event.listen(
        results._connected(),
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    return statements


def queries(statements: list[str]) -> int:
    """Count the statements that look up users."""
    return sum("user_id" in statement for statement in statements)
