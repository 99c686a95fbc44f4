"""Clients of the API: of an application in this process, and of a running service."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import httpx

from ds_assets.local_servers.process import ServerProcess, free_port
from ds_assets.serving.http.app import App
from ds_assets.serving.http.auth import KeyFile
from ds_assets.serving.http.problems import Headers
from ds_assets.serving.http.requests import RequestHeaders


@dataclass
class Request:
    """A request as the server passes it on."""

    method: str
    path: str
    query_string: str
    client: str
    headers: RequestHeaders


class Exchange:
    """A request's body, and its reply."""

    def __init__(self, request: httpx.Request) -> None:
        self._pieces = request.stream
        self.reply: httpx.Response

    def __aiter__(self) -> AsyncIterator[bytes]:
        assert isinstance(self._pieces, httpx.AsyncByteStream)
        return aiter(self._pieces)

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        self.reply = httpx.Response(status, headers=headers, content=body)


class Transport(httpx.AsyncBaseTransport):
    """Calls an application in this process, as a client at an address."""

    def __init__(self, app: App, client: str) -> None:
        self._app, self._client = app, client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode().partition("?")
        exchange = Exchange(request)
        client = f"{self._client}:1"
        wire_request = Request(request.method, unquote(path), query, client, request.headers)
        await self._app(wire_request, exchange)
        return exchange.reply


@asynccontextmanager
async def client_of(app: App, client: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """Open an application, and a client of it."""
    await app.open()
    transport = Transport(app, client)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as http_client:
        yield http_client
    await app.close()


class Service(ServerProcess):
    """The service of `fake.py`, as processes of its own.

    Attributes:
        url: Its address.
        keys: Its API keys; one is made.
        headers: Headers of a request that is let in.
        log: File of what it prints.
    """

    def __init__(
        self, folder: Path, workers: int = 1, rate: int = 1_000_000, at_once: int = 256
    ) -> None:
        self.keys = KeyFile(folder / "keys.json")
        self.headers = {"Authorization": f"Bearer {self.keys.add('tests')}"}
        self.log = folder / "log.txt"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        options = [str(argument) for argument in (port, workers, self.keys.path, rate, at_once)]
        command = [sys.executable, "-m", "ds_assets_tests.serving.http.fake", *options]
        super().__init__(command, self.log, self._lives)

    def client(self) -> httpx.Client:
        """A client with a valid key."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=30)

    def _lives(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").is_success
        except httpx.TransportError:
            return False
