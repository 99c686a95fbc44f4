"""A private Redis server."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from ds_assets.local_servers.install import path_of
from ds_assets.local_servers.process import ServerProcess, accepts, free_port


class RedisServer(ServerProcess):
    """Redis on a free port.

    Args:
        folder: Folder of its data, configuration and log.
        lines: Further lines of its configuration.

    Attributes:
        port: Port on 127.0.0.1.
        password: Password of the default user.
        url: URL with the password.
    """

    def __init__(self, folder: Path, lines: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.password = password = secrets.token_urlsafe(16)
        self.port = free_port()
        self.url = f"redis://:{password}@127.0.0.1:{self.port}/0"
        settings = folder / "redis.conf"  # not arguments, which all users of the machine can see
        settings.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {password}\ndir {folder}\n"
            'save ""\nappendonly no\n' + "".join(f"{line}\n" for line in lines)
        )
        settings.chmod(0o600)
        command = [path_of("redis-server"), str(settings)]
        super().__init__(command, folder / "log.txt", lambda: accepts(self.port))
