"""A private S3 server: moto, in a thread of this process."""

import logging
import secrets
from typing import Self
from urllib.request import Request, urlopen


class S3Server:
    """S3 on a free port, with its objects in memory.

    Attributes:
        environment: AWS environment variables that direct clients to it.
    """

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer  # noqa: PLC0415  (slow to import)

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it without objects, and wait until it responds."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # otherwise it logs every request
        self._server.start()
        host, port = self._server.get_host_and_port()
        url = f"http://{host}:{port}"
        # moto keeps objects for the whole process, also those of a server that was stopped.
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()  # noqa: S310  (HTTP only)
        self.environment = {
            "AWS_ENDPOINT_URL_S3": url,
            "AWS_ACCESS_KEY_ID": "private",
            "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(16),
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def stop(self) -> None:
        """Stop it."""
        self._server.stop()
