"""The servers of a rehearsal: results database, cache, and the receiver of offers.

Embedded ones need no programs and no time to start; real ones are what is used in operation.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ds_assets.infra.cache.embedded_server import EmbeddedServer
from ds_assets.local_servers.mysql import MySQLServer
from ds_assets.local_servers.redis import RedisServer
from ds_assets_tests.infra.receivers import SECRET, Receiver, receiving


class Servers(Protocol):
    """What a rehearsal does with them."""

    @property
    def receiver(self) -> Receiver:
        """The receiver of changes of offers."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """Settings of the installation that uses them."""
        ...

    def back_up(self) -> None:
        """Keep a copy of the results database."""
        ...

    def restore(self) -> None:
        """Replace the results database by the copy."""
        ...

    def empty_cache(self) -> None:
        """Let the cache lose everything."""
        ...


@dataclass(frozen=True)
class EmbeddedServers:
    """SQLite, and an embedded server."""

    home: Path
    receiver: Receiver

    @property
    def settings(self) -> Mapping[str, str]:
        """See `Servers`: those of an installation without database and cache of its own."""
        return _settings_of(self.receiver)

    def back_up(self) -> None:
        """See `Servers`."""
        shutil.copy(self.home / "results.sqlite", self.home / "results.backup")

    def restore(self) -> None:
        """See `Servers`."""
        for file in self.home.glob("results.sqlite-*"):
            file.unlink()
        shutil.copy(self.home / "results.backup", self.home / "results.sqlite")

    def empty_cache(self) -> None:
        """See `Servers`."""
        server = EmbeddedServer(self.home / "cache")
        server.join()
        server.client.flushdb()
        server.leave()


class PrivateServers:
    """MariaDB and Redis.

    Args:
        folder: Folder of their data.
        receiver: See `Servers`.
    """

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.receiver = receiver
        self._data, self._copy = folder / "mysql" / "data", folder / "mysql copy"
        self.database = MySQLServer(folder / "mysql")
        self.cache = RedisServer(folder / "redis")

    @property
    def settings(self) -> Mapping[str, str]:
        """See `Servers`."""
        urls = {"results_url": self.database.url, "cache_url": self.cache.url}
        return {**urls, **_settings_of(self.receiver)}

    def back_up(self) -> None:
        """See `Servers`."""
        self._replace(self._copy, self._data)

    def restore(self) -> None:
        """See `Servers`."""
        self._replace(self._data, self._copy)

    def _replace(self, folder: Path, content: Path) -> None:
        self.database.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(content, folder)
        self.database.start()

    def empty_cache(self) -> None:
        """See `Servers`; it stores nothing on disk."""
        self.cache.stop()
        self.cache.start()


@contextmanager
def open_servers(folder: Path, *, has_servers: bool) -> Iterator[Servers]:
    """Open the servers of an installation in the folder `home` of a folder.

    Args:
        folder: The folder.
        has_servers: Whether to start real ones.
    """
    with receiving() as receiver:
        # A killed run keeps the time in which it began, so that its signatures are soon too old.
        receiver.verify = lambda body, _: json.loads(body)
        if not has_servers:
            yield EmbeddedServers(folder / "home", receiver)
            return
        servers = PrivateServers(folder, receiver)
        with servers.database, servers.cache:
            yield servers


def _settings_of(receiver: Receiver) -> Mapping[str, str]:
    return {"webhook_url": receiver.url, "webhook_secret": SECRET}
