import sys
from pathlib import Path

import pytest

from ds_assets.errors import InputError
from ds_assets.local_servers.process import ServerProcess, accepts, free_port


def test_a_server_answers_when_it_has_started_and_no_more_when_it_has_ended(tmp_path: Path) -> None:
    port = free_port()
    # Not a server of HTTP, which would ask for the name of its address.
    code = f"import socketserver as s; s.TCPServer(('127.0.0.1', {port}), None).serve_forever()"
    server = ServerProcess(
        [sys.executable, "-c", code], tmp_path / "log.txt", lambda: accepts(port)
    )
    for end in (server.stop, server.kill):
        server.start()
        assert accepts(port)
        end()
        assert not accepts(port)


def test_a_server_that_ends_at_once_is_named_with_what_it_said(tmp_path: Path) -> None:
    code = "import sys; sys.exit('the disk is full')"
    server = ServerProcess([sys.executable, "-c", code], tmp_path / "log.txt", lambda: False)
    with pytest.raises(InputError, match=r"does not start:\nthe disk is full"):
        server.start()
