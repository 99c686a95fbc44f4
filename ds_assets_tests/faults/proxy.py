"""A TCP proxy on this machine that does to a connection what networks do.

Scope: the faults; it does not depend on the protocols that pass through.
"""

import asyncio
import errno
import socket
import struct
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Self, TypeAlias

Way: TypeAlias = Literal["up", "down"]
"""Up is from the client to the server."""

_CHUNK = 65_536
_CHUNKS_IN_FLIGHT = 1_000
_WAITING_CLIENTS = 128
_ADDRESS = "127.0.0.1"
_BIND_TIMEOUT_S = 10


class Plain(Enum):
    """Faults without a measure."""

    NONE = "everything passes"
    BLACK_HOLE = "connections are accepted and stay open, and nothing passes until it is over"
    UNREACHABLE = "as a black hole, and no connection is accepted: a connect gets no answer"
    HALF_OPEN = "connections of this moment lose the server and never hear of it; new ones pass"
    REFUSED = "connections are reset, and new ones refused"


NONE, BLACK_HOLE, UNREACHABLE, HALF_OPEN, REFUSED = Plain
_SILENT = (BLACK_HOLE, UNREACHABLE)
_DEAF = (UNREACHABLE, REFUSED)


@dataclass(frozen=True)
class Latency:
    """Everything arrives later by so many seconds, both ways or only one."""

    seconds: float
    only: Way | None = None


@dataclass(frozen=True)
class Reset:
    """Each connection is reset when so many bytes have passed since this fault began."""

    after: int
    way: Way = "down"


@dataclass(frozen=True)
class Bandwidth:
    """Bytes a second, of each connection and each way."""

    bytes_per_second: int


Fault: TypeAlias = Plain | Latency | Reset | Bandwidth


class FaultProxy:
    """Stands between clients and a server of this machine, in a thread, while its context lasts.

    Args:
        target: Port of the server.

    Attributes:
        port: Port for the clients.
        connections: Connections that were accepted.
        passed: Bytes that were passed on, by way.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.connections = 0
        self.passed: dict[Way, int] = {"up": 0, "down": 0}
        # Bound for as long as this lives: a port that refuses is not given to somebody else.
        self._holder = _bound(0)
        self.port = int(self._holder.getsockname()[1])
        self._fault: Fault = NONE
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Condition()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._listener: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self._open: dict[_Connection, asyncio.Task[None]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self.fault = NONE
        return self

    def __exit__(self, *_: object) -> None:
        self.fault = REFUSED  # which leaves nothing open
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._holder.close()

    @property
    def fault(self) -> Fault:
        """What is done to connections now; a new value holds when its setting returns."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        asyncio.run_coroutine_threadsafe(self._switch(fault), self._loop).result()

    async def _switch(self, fault: Fault) -> None:
        async with self._changed:
            before, self._fault = self._fault, fault
            for connection in self._open:
                connection.left = _left(fault)
            self._changed.notify_all()
        if self._listener is None or before in _DEAF or fault in _DEAF:
            self._stop_listening()
            if fault is not REFUSED:
                self._listen()
        if fault is HALF_OPEN:
            await self._leave_alone()
        if fault is REFUSED:
            await self._reset()

    def _listen(self) -> None:
        self._listener = _bound(self.port)
        if self._fault is UNREACHABLE:
            self._listener.listen(0)
            self._fillers = [_connecting(self.port) for _ in range(3)]  # more than it takes
        else:
            self._listener.listen(_WAITING_CLIENTS)
            self._loop.add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            if self._loop.remove_reader(self._listener):
                self._accept(self._listener)  # who has connected is connected
            self._listener.close()
        for filler in self._fillers:
            filler.close()
        self._listener, self._fillers = None, []

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                client, _ = listener.accept()
                client.setblocking(False)
                self.connections += 1
                connection = _Connection(self, client)
                connection.left = _left(self._fault)
                self._begin(connection, connection.serve())

    def _begin(self, connection: "_Connection", what: Coroutine[None, None, None]) -> None:
        self._open[connection] = task = self._loop.create_task(what)
        task.add_done_callback(lambda _: self._open.pop(connection))

    async def _leave_alone(self) -> None:
        for connection, task in list(self._open.items()):
            if not connection.is_alone:
                connection.is_alone = True
                await _cancelled(task)
                self._begin(connection, connection.hear_nothing())

    async def _reset(self) -> None:
        for task in list(self._open.values()):
            await _cancelled(task)

    async def passable(self) -> None:
        """Wait until something passes."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._fault not in _SILENT)


class _Connection:
    """A client's connection, and the one to the server that belongs to it."""

    def __init__(self, proxy: FaultProxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._server = socket.socket()
        self._server.setblocking(False)
        self.left: int = 0
        self.is_alone = False

    async def serve(self) -> None:
        """Pass everything on until both sides have ended, or one is reset."""
        try:
            await self._proxy.passable()
            await self._loop.sock_connect(self._server, (_ADDRESS, self._proxy.target))
            async with asyncio.TaskGroup() as tasks:
                for source, sink, way in self._ways():
                    queue: _Queue = asyncio.Queue(_CHUNKS_IN_FLIGHT)
                    tasks.create_task(self._read(source, queue, way))
                    tasks.create_task(self._write(sink, queue, way))
        except* OSError:
            self._reset()
        except* asyncio.CancelledError:
            self._reset()
        finally:
            self._server.close()
            if not self.is_alone:
                self._client.close()

    async def hear_nothing(self) -> None:
        """Take what the client says, and never answer."""
        try:
            with suppress(OSError):
                while await self._loop.sock_recv(self._client, _CHUNK):
                    pass
        finally:
            self._client.close()

    def _ways(self) -> tuple[tuple[socket.socket, socket.socket, Way], ...]:
        return ((self._client, self._server, "up"), (self._server, self._client, "down"))

    def _reset(self) -> None:
        for connection in (self._server, *([] if self.is_alone else [self._client])):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def _read(self, source: socket.socket, queue: "_Queue", way: Way) -> None:
        content = b"some"
        while content:
            content = await self._loop.sock_recv(source, _CHUNK)
            fault = self._proxy.fault
            late = isinstance(fault, Latency) and fault.only in {None, way}
            delay = fault.seconds if isinstance(fault, Latency) and late else 0.0
            await queue.put((self._loop.time() + delay, content))

    async def _write(self, sink: socket.socket, queue: "_Queue", way: Way) -> None:
        content = b"some"
        while content:
            due, content = await queue.get()
            await asyncio.sleep(due - self._loop.time())
            await self._proxy.passable()
            if content:
                await self._pass_on(sink, content, way)
        sink.shutdown(socket.SHUT_WR)

    async def _pass_on(self, sink: socket.socket, content: bytes, way: Way) -> None:
        while content:
            fault, size, wait = self._proxy.fault, len(content), 0.0
            if isinstance(fault, Bandwidth):
                size = min(size, max(1, fault.bytes_per_second // 50))
                wait = size / fault.bytes_per_second
            if isinstance(fault, Reset) and fault.way == way:
                size = min(size, self.left)
                self.left -= size
            await self._loop.sock_sendall(sink, content[:size])
            self._proxy.passed[way] += size
            content = content[size:]
            if isinstance(fault, Reset) and fault.way == way and not self.left:
                raise ConnectionResetError
            await asyncio.sleep(wait)
            await self._proxy.passable()


_Queue: TypeAlias = "asyncio.Queue[tuple[float, bytes]]"


def _left(fault: Fault) -> int:
    return fault.after if isinstance(fault, Reset) else 0


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    end = time.monotonic() + _BIND_TIMEOUT_S
    while True:
        try:
            listener.bind((_ADDRESS, port))
        except OSError as error:
            # A process that is being started has a copy of the listener that was closed, until it
            # executes its program.
            if error.errno != errno.EADDRINUSE or time.monotonic() > end:
                listener.close()
                raise
            time.sleep(0.01)
        else:
            listener.setblocking(False)
            return listener


def _connecting(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex((_ADDRESS, port))
    return connection


async def _cancelled(task: "asyncio.Task[None]") -> None:
    await asyncio.sleep(0)  # one that has not begun would not close what it holds
    task.cancel()
    await asyncio.wait([task])
