"""Steady load: the requests that back-ends send all the time, and the latency of the replies.

Scope: clients, and the counts of each phase.
"""

import asyncio
import datetime as dt
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import numpy as np

from ds_assets.serving.shown_offers import TIMEOUT_S
from ds_assets_tests.soak.checks import (
    Asked,
    answers_of,
    breaches,
    breaches_of_report,
    count_uncertain,
)
from ds_assets_tests.soak.http import SLOWEST, Connection, Reply
from ds_assets_tests.soak.world import World

CONNECTIONS = 12
PAUSE = 0.05
"""Seconds between a reply and the next request of a connection, on average."""
USERS_OF_A_BATCH = 20
OFFERS_OF_A_REPORT = 3
MAX_REPORTED = 20


@dataclass
class Phase:
    """What happened during one phase.

    Attributes:
        name: What the phase is about.
        all_is_up: Whether nothing has been down for a while, so that users must be answered.
        may_refuse: See `breaches`.
        seconds: Latency of each reply.
        sources: Answers by source.
        uncertain: Answers that do not say what they should with everything up.
        note: Anything else to report.
    """

    name: str
    all_is_up: bool = False
    may_refuse: bool = False
    seconds: list[float] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    uncertain: int = 0
    note: str = ""

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of replies came."""
        return float(np.percentile(self.seconds, share)) * 1_000 if self.seconds else float("nan")


@dataclass
class Load:
    """Clients that send requests until they are stopped.

    Attributes:
        phases: The phases; the last is the current one.
        faults: The first few violations, as sentences.
        breaches: Number of violations.
        lost: Requests without a reply.
        reported: When the report of an assignment that was acknowledged had been sent, in seconds
            since 1970-01-01.
    """

    port: int
    world: World
    phases: list[Phase] = field(default_factory=lambda: [Phase("start")])
    faults: list[str] = field(default_factory=list)
    breaches: int = 0
    lost: int = 0
    ends: bool = False
    reported: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Send requests until `ends`; a client then stops when its connection is closed."""
        numbers = itertools.count()
        clients = [self._client(seed, numbers) for seed in range(CONNECTIONS)]
        await asyncio.gather(*clients, self._report_shown_offers())

    async def _report_shown_offers(self) -> None:
        """Report shown offers one after the other; each has another assignment."""
        chance = random.Random(CONNECTIONS)
        async with Connection(self.port, TIMEOUT_S + SLOWEST) as connection:
            for number in itertools.count():
                ids = [f"soak{number}-{offer}" for offer in range(OFFERS_OF_A_REPORT)]
                reply = await self._report(connection, ids, chance.choice(self.world.users))
                if self.ends and (reply is None or reply.sends_away):
                    return
                await asyncio.sleep(chance.expovariate(1 / PAUSE))

    async def _report(
        self, connection: Connection, ids: Sequence[str], user_id: str
    ) -> Reply | None:
        phase, shown_at = self.phases[-1], dt.datetime.now(dt.UTC).isoformat()
        offers = [{"user_id": user_id, "assignment_id": it, "shown_at": shown_at} for it in ids]
        sent_at = time.time()
        try:
            reply = await connection.post("/v1/outcomes", {"outcomes": offers})
        except (OSError, EOFError, TimeoutError) as error:
            self.lost += 1
            self._record(phase, [f"a report was lost: {error!r}"])
            return None
        all_is_up = phase.all_is_up and phase is self.phases[-1]
        self._record(phase, breaches_of_report(reply, len(ids), all_is_up=all_is_up))
        if reply.status == HTTPStatus.OK:
            # A reply that comes while servers are being killed is read after that.
            self.reported |= dict.fromkeys(ids, sent_at)
        return reply

    async def _client(self, seed: int, numbers: "itertools.count[int]") -> None:
        chance = random.Random(seed)
        users = self.world.users
        async with Connection(self.port) as connection:
            while True:
                reply = await self._request(connection, chance, users, numbers)
                if self.ends and (reply is None or reply.sends_away):
                    return
                await asyncio.sleep(chance.expovariate(1 / PAUSE))

    async def _request(
        self,
        connection: Connection,
        chance: random.Random,
        users: Sequence[str],
        numbers: "itertools.count[int]",
    ) -> Reply | None:
        kind = chance.random()
        requested_user = chance.choice(users) if kind < 0.8 else f"nobody{next(numbers)}"
        if kind < 0.85:
            return await self._timed(
                [requested_user], connection.get(f"/v1/users/{requested_user}/prediction")
            )
        if kind < 0.95:
            several = [requested_user, *chance.choices(users, k=USERS_OF_A_BATCH)]
            return await self._timed(
                several, connection.post("/v1/predictions", {"user_ids": several})
            )
        day, scored_user = self.world.landed[-1], chance.choice(users)
        user = {"user_id": scored_user, "features": self.world.features[day][scored_user]}
        return await self._timed(
            [scored_user], connection.post("/v1/score", {"users": [user]}), day
        )

    async def _timed(
        self, users: Sequence[str], asking: Awaitable[Reply], features_of: dt.date | None = None
    ) -> Reply | None:
        phase, sent = self.phases[-1], time.time()
        try:
            reply = await asking
        except (OSError, EOFError, TimeoutError) as error:
            self.lost += 1
            self._record(phase, [f"a request was lost: {error!r}"])
            return None
        request = Asked(users, sent, time.time(), features_of)
        phase.seconds.append(request.seconds)
        phase.sources.update(answer["source"] for answer in answers_of(reply))
        if self.phases[-1] is phase:
            phase.uncertain += count_uncertain(reply)
        wrong = breaches(request, reply, self.world, may_refuse=phase.may_refuse)
        self._record(phase, wrong)
        return reply

    def _record(self, phase: Phase, faults: Sequence[str]) -> None:
        self.breaches += len(faults)
        self.faults += [f"{phase.name}: {fault}" for fault in faults][
            : MAX_REPORTED - len(self.faults)
        ]
