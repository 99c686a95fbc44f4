"""The soak: its phases in order, and the report.

Requests are in `load.py`, rules for replies in `checks.py`.
"""

import asyncio
import itertools
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ds_assets.local_servers.process import ServerProcess, accepts, free_port
from ds_assets.serving.http.app import MAX_ANSWERS_IN_FLIGHT
from ds_assets.serving.sources import REQUEST_TIMEOUT_S
from ds_assets_tests.soak.checks import LATE
from ds_assets_tests.soak.http import Connection
from ds_assets_tests.soak.load import Load, Phase
from ds_assets_tests.soak.world import World, made_world

BACK_WITHIN = 5.0
"""Seconds within which a recovered server, or a new day, must be used."""
CALM_SECONDS, DOWN_SECONDS, OVERLOAD_SECONDS = 1.5, 2.0, 1.5
TOO_MUCH = 5
"""Load in an overload, as a multiple of what a worker answers at once."""
LAKE_SAVES_SECONDS = 10.0
"""The lake's test server, unlike a real one, loses what it got in the last seconds when killed."""
MAX_GROWTH_MB = 32.0
"""Growth of memory from the first round to the end; the first round allocates what each needs. The
allocator's heaps of several threads alone add up to a dozen MB."""
MAX_UNCERTAIN = 0.2
"""Share of the answers in a calm phase. On a busy machine a server at times is late, and a circuit
breaker stays open for two seconds; a fault would concern all answers."""
_PARTS = {"cache": "Redis", "table": "MySQL", "live": "the lake"}


def freeze(server: ServerProcess) -> None:
    """Stop a server's process, which keeps its connections and answers nothing."""
    _signal(server, signal.SIGSTOP)


def thaw(server: ServerProcess) -> None:
    """Let a frozen server continue."""
    _signal(server, signal.SIGCONT)


def _signal(server: ServerProcess, number: signal.Signals) -> None:
    assert server._process
    server._process.send_signal(number)


_DO = {
    "is killed": ServerProcess.kill,
    "is back": ServerProcess.start,
    "is frozen": freeze,
    "continues": thaw,
}

Step = Callable[[], Awaitable[None]]


@dataclass
class Soaked:
    """The result of a soak.

    Attributes:
        phases: The counts of each phase.
        faults: What went wrong, as sentences.
        memory_mb: Memory of the worker after each round, and at the end.
    """

    phases: list[Phase]
    faults: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)


def soak(minutes: float, say: Callable[[Phase], None]) -> Soaked:
    """Soak the API of a new installation.

    Args:
        minutes: Duration; every phase runs at least once.
        say: Called with each phase when it is over.
    """
    with tempfile.TemporaryDirectory(prefix="ds_assets_soak_") as name:
        folder = Path(name)
        with made_world(folder) as world:
            world.land()
            with _Api(folder, world) as api:
                return asyncio.run(_Soak(world, api, say).whole(minutes * 60))


class _Api(ServerProcess):
    """`ds-assets serve` of a world."""

    def __init__(self, folder: Path, world: World) -> None:
        self.port = free_port()
        command = "from ds_assets.cli.main import main; main()"
        super().__init__(
            [sys.executable, "-c", command, "serve", "--port", str(self.port)],
            folder / "api.txt",
            lambda: accepts(self.port),
            world.environment,
        )


class _Soak:
    def __init__(self, world: World, api: _Api, say: Callable[[Phase], None]) -> None:
        self._world, self._api, self._say = world, api, say
        self._load = Load(api.port, world)
        self._result = Soaked(self._load.phases)
        self._asking = Connection(api.port)
        self._kills_of_lake: list[float] = []

    async def whole(self, seconds: float) -> Soaked:
        """Run round after round, and shut the API down."""
        over = time.monotonic() + seconds
        async with self._asking:
            await self._until("it is ready", self._is_ready)
            asking = asyncio.create_task(self._load.run())
            for step in itertools.cycle([*self._round(), self._record_memory]):
                if self._result.memory_mb and time.monotonic() > over:
                    break
                await step()
            await self._record_memory()
        await self._leave()
        await asking
        self._conclude()
        return self._result

    def _round(self) -> Iterator[Step]:
        """The phases of one round."""
        yield self._calm
        for part, name in _PARTS.items():
            yield partial(self._is_lost, [part], name, "is killed", "is back")
            yield partial(self._is_lost, [part], name, "is frozen", "continues")
        yield partial(self._is_lost, [*_PARTS], "everything", "is killed", "is back")
        yield self._new_day
        yield self._calm
        yield self._overload

    async def _is_lost(self, parts: list[str], name: str, lost: str, back: str) -> None:
        await self._goes_down(parts, f"{name} {lost}", _DO[lost])
        await self._is_back(parts, f"{name} {back}", _DO[back])

    async def _calm(self) -> None:
        self._begin("calm", all_is_up=True)
        await asyncio.sleep(CALM_SECONDS)

    async def _goes_down(
        self, parts: list[str], name: str, do: Callable[[ServerProcess], None]
    ) -> None:
        self._begin(name)
        if do is ServerProcess.kill and "live" in parts:
            self._kills_of_lake.append(time.time())
        for part in parts:
            do(self._world.servers[part])
        await asyncio.sleep(DOWN_SECONDS)
        status, degraded = await self._readiness()
        self._load.phases[-1].note = f"degraded: {', '.join(degraded) or 'nothing'}"
        if status != 200 or not {*parts} - {"live"} <= {*degraded}:
            self._result.faults.append(f"{name}: readiness is {status}, degraded: {degraded}")

    async def _is_back(
        self, parts: list[str], name: str, do: Callable[[ServerProcess], None]
    ) -> None:
        self._begin(name)
        for part in parts:
            await asyncio.to_thread(do, self._world.servers[part])
        await self._until("it is used", self._is_whole)

    async def _new_day(self) -> None:
        self._begin("a new day and its models land")
        day = await asyncio.to_thread(self._world.land)
        users = [user for user in self._world.users if user[-1] not in "37"]

        async def is_served() -> bool:
            reply = await self._asking.get(f"/v1/users/{users[0]}/prediction")
            return bool(reply.status == 200 and reply.json["as_of"] == str(day))

        await self._until("it is served", is_served)
        scored = self._world.features[day][users[0]]

        async def is_scored() -> bool:
            user = {"user_id": users[0], "features": scored}
            reply = await self._asking.post("/v1/score", {"users": [user]})
            return bool(reply.status == 200 and reply.json["predictions"][0]["as_of"] == str(day))

        await self._until("its models score", is_scored)

    async def _overload(self) -> None:
        users = self._world.users[:200]
        clients = TOO_MUCH * MAX_ANSWERS_IN_FLIGHT // len(users)
        self._begin(f"{clients} clients ask for {len(users)} users", may_refuse=True)
        over, statuses, slowest = time.monotonic() + OVERLOAD_SECONDS, Counter[int](), [0.0]

        async def ask() -> None:
            async with Connection(self._api.port) as connection:
                while time.monotonic() < over:
                    sent = time.monotonic()
                    reply = await connection.post("/v1/predictions", {"user_ids": users})
                    statuses[reply.status] += 1
                    slowest[0] = max(slowest[0], time.monotonic() - sent)
                    if reply.status == 503 and reply.headers.get("retry-after") != "1":
                        statuses[-1] += 1

        await asyncio.gather(*(ask() for _ in range(clients)))
        note = f"{statuses[200]:,} answered, {statuses[503]:,} refused, within {slowest[0]:.2f} s"
        self._load.phases[-1].note = note
        await self._until("all is used", self._is_whole)
        if set(statuses) != {200, 503} or slowest[0] > REQUEST_TIMEOUT_S + LATE:
            self._result.faults.append(f"overload: {dict(statuses)}, slowest {slowest[0]:.2f} s")

    async def _leave(self) -> None:
        self._begin("shutdown")
        self._load.ends = True
        await asyncio.to_thread(self._api.stop)

    def _begin(self, name: str, *, all_is_up: bool = False, may_refuse: bool = False) -> None:
        self._say(self._load.phases[-1])
        self._load.phases.append(Phase(name, all_is_up, may_refuse))

    async def _until(self, what: str, is_so: Callable[[], Awaitable[bool]]) -> None:
        began = time.monotonic()
        while not await is_so():
            if time.monotonic() - began > BACK_WITHIN:
                name = self._load.phases[-1].name
                self._result.faults.append(f"{name}: {BACK_WITHIN:g} s later not: {what}")
                return
            await asyncio.sleep(0.05)
        note = f"{what} after {time.monotonic() - began:.1f} s"
        self._load.phases[-1].note += ("; " if self._load.phases[-1].note else "") + note

    async def _readiness(self) -> tuple[int, list[str]]:
        reply = await self._asking.get("/readyz")
        return reply.status, reply.json["degraded"]

    async def _is_ready(self) -> bool:
        return (await self._readiness())[0] == 200

    async def _is_whole(self) -> bool:
        return await self._readiness() == (200, [])

    async def _record_memory(self) -> None:
        """Record the memory of the worker, whose process id is in its metrics."""
        text = (await self._asking.get("/metrics")).body.decode()
        worker = text.partition('worker="')[2].partition('"')[0]
        self._result.memory_mb.append(_memory_mb(int(worker)))

    def _conclude(self) -> None:
        self._say(self._load.phases[-1])
        result = self._result
        result.faults += self._load.faults
        if self._load.breaches > len(self._load.faults):
            result.faults.append(f"and {self._load.breaches - len(self._load.faults):,} more")
        result.faults += [
            f"{phase.name}: {phase.uncertain:,} of {phase.sources.total():,} answers are uncertain "
            "while everything is up"
            for phase in self._load.phases
            if phase.all_is_up and phase.uncertain > MAX_UNCERTAIN * phase.sources.total()
        ]
        if lost := self._find_lost_reports():
            result.faults.append(f"{len(lost):,} acknowledged reports of offers are not stored")
        growth = result.memory_mb[-1] - result.memory_mb[0]
        if growth > MAX_GROWTH_MB:
            result.faults.append(f"memory grew by {growth:.0f} MB: {result.memory_mb}")

    def _find_lost_reports(self) -> list[str]:
        """Acknowledged reports that the lake does not have, though it had the time to keep them."""
        stored = self._world.stored_reports()
        return [
            assignment
            for assignment, at in self._load.reported.items()
            if assignment not in stored
            and not any(0 <= killed - at < LAKE_SAVES_SECONDS for killed in self._kills_of_lake)
        ]


def _memory_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
