"""The HTTP API in front of a fake backend: `python -m …fake PORT WORKERS KEYS RATE MAX`."""

import asyncio
import datetime as dt
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import msgspec

from ds_assets.core.prediction_json import COLUMNS
from ds_assets.errors import InputError
from ds_assets.infra.lake.shown_offers import ShownOffer
from ds_assets.serving.answer import Answer, AnswerHeader
from ds_assets.serving.health import Counts, Health
from ds_assets.serving.http.app import App
from ds_assets.serving.http.auth import Authenticator, KeyFile
from ds_assets.serving.http.protocol import ScoreRequest
from ds_assets.serving.http.server import serve
from ds_assets.serving.http.workers import Shared
from ds_assets.serving.shown_offers import OffersNotStored
from ds_assets.serving.unusable_events import UnusableEventsError

SLOW, BROKEN, IMPOSSIBLE, UNUSABLE = "slow", "broken", "impossible", "unusable"
"""Users for whom the fake is slow, fails, says that they cannot be scored or nothing stored, and
refuses events without members."""
PROMOTED = "promoted"
"""A user with an offer."""
SLOW_SECONDS = 1.0
_REASON = {"code": "last_seen", "effect": 0.82, "values": [6, 1.4], "words": "last seen 6 days ago"}
_VALUES = {
    "as_of": "2026-01-31",
    "churn_probability": 0.25,
    "payment_probability": 0.125,
    "expected_spend": 1.5,
    "cluster": 3,
    "cluster_name": "plays at night, pays seldom",
    "user_group": "cluster=3",
    "churn_reasons": [_REASON] * 3,
    "payment_reasons": [_REASON] * 3,
    "churn_model": "2026-01-31",
    "payment_model": "2026-01-31",
    "cluster_model": "2026-01-26",
}


_HEADER = AnswerHeader("ok", "cache", 3_600, b'"status":"ok","source":"cache","age_seconds":3600')
_MEMBERS = msgspec.json.encode({column.name: _VALUES.get(column.name) for column in COLUMNS})[1:]


_OFFER = {"offer": "bundle", "assignment_id": "a1", "until": "2026-02-14"}
_WITH_OFFER = b"%b%b}" % (_MEMBERS[:-1], b',"promotions":' + msgspec.json.encode([_OFFER]))


def answer_of(user_id: str) -> Answer:
    return Answer(user_id, _HEADER, _WITH_OFFER if user_id == PROMOTED else _MEMBERS)


class FakeBackend:
    """Gives the same answer for all users."""

    lag_days = 0

    def __init__(self) -> None:
        self._sources: Counter[str] = Counter()
        self.groups: list[str] = []
        self.shown: list[ShownOffer] = []

    async def answer_one(self, user_id: str, group: str) -> Answer:
        return (await self.answer([user_id], group))[0]

    async def answer(self, user_ids: Sequence[str], group: str) -> list[Answer]:
        self.groups.append(group)
        if BROKEN in user_ids:
            raise RuntimeError("a secret of the service")
        await asyncio.sleep(SLOW_SECONDS if SLOW in user_ids else 0)
        self._sources["cache"] += len(user_ids)
        return list(map(answer_of, user_ids))

    async def score(self, request: ScoreRequest) -> list[Answer]:
        user_ids = [user.user_id for user in request.users]
        if UNUSABLE in user_ids:
            events = chain.from_iterable(user.events or () for user in request.users)
            raise UnusableEventsError(
                {number: "no event type" for number, event in enumerate(events) if not event}
            )
        if IMPOSSIBLE in user_ids:
            raise InputError("the feature `age` must be a number")
        return await self.answer(user_ids, request.users[0].user_group if request.users else "")

    async def store_shown_offers(self, offers: Sequence[ShownOffer]) -> None:
        if any(offer.user_id == IMPOSSIBLE for offer in offers):
            raise OffersNotStored("shown offers cannot be stored in the lake now")
        await asyncio.sleep(SLOW_SECONDS if any(it.user_id == SLOW for it in offers) else 0)
        self.shown += offers

    def health(self) -> Health:
        return Health(
            degraded=("results",),
            as_of=dt.date(2026, 1, 31),
            age_seconds=3_600,
            lag_days=self.lag_days,
            models={"churn": "2026-01-31"},
            breakers={"cache": "closed", "results": "open"},
        )

    def counts(self) -> Counts:
        return Counts(self._sources, cache_hits=self._sources["cache"], cache_misses=2)


@asynccontextmanager
async def opened() -> AsyncIterator[FakeBackend]:
    yield FakeBackend()
    sys.stdout.write("closed\n")
    sys.stdout.flush()


def fake_app(keys: Path, rate: int, max_in_flight: int, shared: Shared) -> App:
    return App(opened, Authenticator(KeyFile(keys), rate), max_in_flight, shared)


if __name__ == "__main__":
    port, workers, keys, rate, max_in_flight = sys.argv[1:]
    make_app = partial(fake_app, Path(keys), int(rate), int(max_in_flight))
    serve(make_app, KeyFile(Path(keys)), "127.0.0.1", int(port), int(workers))
