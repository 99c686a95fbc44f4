"""Clients of the API: of an application in this process, and of a service that runs."""

import asyncio
import sys
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from ds_assets.services.process import ServerProcess, free_port
from ds_assets.serving.http.app import App
from ds_assets.serving.http.keys import KeyFile


@asynccontextmanager
async def client_of(app: App, client: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application, which lives meanwhile."""
    told: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    heard: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    living = asyncio.create_task(app({"type": "lifespan"}, told.get, heard.put))
    await told.put({"type": "lifespan.startup"})
    assert (await heard.get())["type"] == "lifespan.startup.complete"
    transport = httpx.ASGITransport(app, client=(client, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as found:
        yield found
    await told.put({"type": "lifespan.shutdown"})
    await living
    assert (await heard.get())["type"] == "lifespan.shutdown.complete"


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
        options = [str(one) for one in (port, workers, self.keys.path, rate, at_once)]
        command = [sys.executable, "-m", "ds_assets_tests.serving.http.fake", *options]
        super().__init__(command, self.log, self._lives)

    def client(self) -> httpx.Client:
        """A client that is let in."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=30)

    def _lives(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").is_success
        except httpx.TransportError:
            return False
