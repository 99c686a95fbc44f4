"""Real servers for tests, each started in this process and on this machine only."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3_server(environment: pytest.MonkeyPatch) -> Iterator[None]:
    """A server of S3; AWS's own environment leads every client to it."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  (slow to import)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        environment.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "key")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
        environment.setenv("AWS_REGION", "us-east-1")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield
    finally:
        server.stop()
