"""A private PostgreSQL, with an owner of its own."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from psycopg import pq

from ds_assets.errors import InputError
from ds_assets.local_servers.install import path_of
from ds_assets.local_servers.process import ServerProcess, free_port


class PostgreSQLServer(ServerProcess):
    """PostgreSQL on a free port, with its data in a folder and one database, `player_insights`.

    The server refuses to run as root: then it runs as the user `postgres` of Debian's package, with
    the one right that lets it reach its data below folders of root.

    Args:
        folder: Folder of its data and its log.
        settings: Further settings, as `ssl=on`.

    Attributes:
        port: Port on 127.0.0.1.
        url: SQLAlchemy URL of the database, with the user `owner`, who has all rights.
    """

    def __init__(self, folder: Path, settings: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._data = folder / "data"
        self._password = secrets.token_urlsafe(16)
        self.port = free_port()
        self.url = (
            f"postgresql+psycopg://owner:{self._password}@127.0.0.1:{self.port}/player_insights"
        )
        options = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "unix_socket_directories=",
            *settings,
        ]
        command = [*_unprivileged(), path_of("postgres"), "-D", str(self._data)]
        arguments = [argument for option in options for argument in ("-c", option)]
        super().__init__([*command, *arguments], folder / "log.txt", self._accepts_connections)

    def start(self) -> None:
        """See `ServerProcess`; the first start makes the owner and the database."""
        is_new = not self._data.exists()
        if is_new:
            _make_cluster(self._data, self._password)
        super().start()
        if is_new:
            self._create_database("player_insights")

    def stop(self) -> None:
        """See `ServerProcess`; it does not wait for its clients to leave."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
        super().stop()

    def kill(self) -> None:
        """See `ServerProcess`; its sessions are processes, which would outlive it for a while."""
        sessions = _children(self._process.pid) if self._process is not None else []
        super().kill()
        for process in sessions:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        while any(map(_is_alive, sessions)):
            time.sleep(0.01)

    def _accepts_connections(self) -> bool:
        # It listens before it has recovered from a crash.
        return pq.PGconn.ping(f"host=127.0.0.1 port={self.port}".encode()) == pq.Ping.OK

    def _create_database(self, name: str) -> None:
        place = ["--host=127.0.0.1", f"--port={self.port}", "--username=owner"]
        environment = {**os.environ, "PGPASSWORD": self._password}
        _call([path_of("createdb"), *place, name], environment)


def _children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _make_cluster(data: Path, password: str) -> None:
    data.mkdir()
    password_file = data.with_name("password")
    password_file.touch(mode=0o600)
    password_file.write_text(password, encoding="utf-8")
    if os.geteuid() == 0:
        for path in (data, password_file):
            shutil.chown(path, _user(), -1)
    initdb = [*_unprivileged(), path_of("initdb"), "-D", str(data), "--username=owner"]
    options = [f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
    _call([*initdb, *options, "--locale=C", "--no-sync", "--no-instructions"], os.environ)
    password_file.unlink()


def _unprivileged() -> list[str]:
    """The start of a command that must not run as root."""
    if os.geteuid() != 0:
        return []
    user = _user()
    drop = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
    return [*drop, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


def _user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _call(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603  (a command of this package)
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        output = (done.stderr or done.stdout)[-1000:]
        raise InputError(f"{Path(command[0]).name} failed: {output}")
