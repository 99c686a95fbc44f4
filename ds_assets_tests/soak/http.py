"""An HTTP/1.1 client of one connection that costs little, so that it is not the bottleneck."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Self

SLOWEST = 10.0
"""Seconds after which a reply counts as lost; far more than any deadline of the service."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def sends_away(self) -> bool:
        """Whether the next request needs a connection of its own."""
        return self.headers.get("connection") == "close"


class Connection:
    """One connection, opened when it is needed, and again after it was closed.

    Args:
        port: The port.
        slowest: Seconds after which a reply counts as lost.
    """

    def __init__(self, port: int, slowest: float = SLOWEST) -> None:
        self._port, self._slowest = port, slowest
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def get(self, path: str) -> Reply:
        """The reply to a GET."""
        return await self._ask(f"GET {path} HTTP/1.1\r\nHost: soak\r\n\r\n".encode())

    async def post(self, path: str, content: Any) -> Reply:
        """The reply to a POST of JSON."""
        body = json.dumps(content).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return await self._ask(head.encode() + body)

    async def _ask(self, request: bytes) -> Reply:
        async with asyncio.timeout(self._slowest):
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(request)
            reply = await _read(reader)
        if reply.sends_away:
            self.close()
        return reply


async def _read(reader: asyncio.StreamReader) -> Reply:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(status.split()[1]), headers, body)
