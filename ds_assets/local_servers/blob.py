"""A private Blob service: Azurite."""

import base64
import secrets
from pathlib import Path

from ds_assets.local_servers.install import path_of
from ds_assets.local_servers.process import ServerProcess, accepts, free_port


class BlobServer(ServerProcess):
    """Azurite on a free port, with its blobs in a folder and one account.

    Attributes:
        url: Address of the account.
        key: Key of the account.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/private"
        self.key = base64.b64encode(secrets.token_bytes(32)).decode()
        command = [path_of("azurite-blob"), "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        options = ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
        super().__init__(
            [*command, *options, "--location", str(folder)],
            folder / "log.txt",
            lambda: accepts(port),
            {"AZURITE_ACCOUNTS": f"private:{self.key}"},
        )
