"""A private MySQL-compatible server: MariaDB."""

import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pymysql

from ds_assets.errors import InputError
from ds_assets.local_servers.install import path_of
from ds_assets.local_servers.process import ServerProcess, accepts, free_port


class MySQLServer(ServerProcess):
    """MariaDB on a free port, with its data in a folder and one database, `player_insights`.

    Args:
        folder: Folder of its data and its log.
        options: Further options.

    Attributes:
        port: Port on 127.0.0.1.
        url: SQLAlchemy URL of the database, with the user `owner`, who has all rights.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._data = folder / "data"
        self._socket = folder / "socket"
        self._password = secrets.token_urlsafe(16)
        self.port = free_port()
        # Without TLS, for which the client would load all certificates at each connection.
        self.url = (
            f"mysql+pymysql://owner:{self._password}@127.0.0.1:{self.port}/player_insights"
            "?ssl_disabled=true"
        )
        command = [path_of("mariadbd"), "--no-defaults", "--user=root", "--skip-name-resolve"]
        place = ["--bind-address=127.0.0.1", f"--port={self.port}", f"--datadir={self._data}"]
        more = [f"--socket={self._socket}", "--character-set-server=utf8mb4", "--local-infile=1"]
        log = folder / "log.txt"
        super().__init__([*command, *place, *more, *options], log, lambda: accepts(self.port))

    def start(self) -> None:
        """See `ServerProcess`. The first start creates the database and its owner."""
        is_new = not self._data.exists()
        if is_new:
            _make_system_tables(self._data)
        super().start()
        if is_new:
            self._make_owner()

    def _make_owner(self) -> None:
        with (
            pymysql.connect(unix_socket=str(self._socket), user="root") as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("CREATE DATABASE player_insights CHARACTER SET utf8mb4")
            cursor.execute("CREATE USER owner@'127.0.0.1' IDENTIFIED BY %s", (self._password,))
            cursor.execute("GRANT ALL ON *.* TO owner@'127.0.0.1' WITH GRANT OPTION")


def _make_system_tables(data: Path) -> None:
    command = [path_of("mariadb-install-db"), "--no-defaults", "--user=root", f"--datadir={data}"]
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    done = subprocess.run(  # noqa: S603  (a command of this package)
        [*command, *options], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InputError(f"{command[0]} failed: {(done.stderr or done.stdout)[-1000:]}")
