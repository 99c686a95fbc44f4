"""A real receiver of webhooks on this machine, which verifies signatures."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook as Verifier

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  (of these tests only)

_SECONDS_PER_MESSAGE = 0.02
"""In a process that may be killed before it answers."""

Reply = tuple[int, Mapping[str, str]]
"""A status and headers."""
ACKNOWLEDGED: Reply = (204, {})


@dataclass
class Receiver:
    """What a receiver has received.

    Attributes:
        url: Its address.
        reply: Makes the reply to the message of a number, from 0; before it, it may wait.
        attempts: Ids of all messages, in the order in which they arrived.
        accepted: The messages that it acknowledged, likewise.
        accept: Called with the id of each of them before it is acknowledged.
        verify: Returns what a body says, given the headers with its signature.
    """

    url: str = ""
    reply: Callable[[int], Reply] = lambda _: ACKNOWLEDGED
    attempts: list[str] = field(default_factory=list)
    accepted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    accept: Callable[[str], None] = lambda _: None
    verify: Callable[[bytes, dict[str, str]], Any] = Verifier(SECRET).verify

    def ids(self) -> list[str]:
        """Ids of the messages that it acknowledged."""
        return [message_id for message_id, _ in self.accepted]


@contextmanager
def receiving(reply: Callable[[int], Reply] = lambda _: ACKNOWLEDGED) -> Iterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver(reply=reply)
    server = _listen(receiver, 0)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hooks/t0ken"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def serve_process(pipe: "Connection[Any, Any]", port: int, file: Path) -> None:
    """Receive messages in a process that may be killed, and append their ids to a file."""
    with file.open("a") as ids:

        def accept(message_id: str) -> None:
            print(message_id, file=ids, flush=True)
            time.sleep(_SECONDS_PER_MESSAGE)

        server = _listen(Receiver(accept=accept), port)
        pipe.send("listening")
        server.serve_forever()


def _listen(receiver: Receiver, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            message = receiver.verify(body, dict(self.headers.items()))
            receiver.attempts.append(self.headers["webhook-id"])
            status, headers = receiver.reply(len(receiver.attempts) - 1)
            if status < 300:
                receiver.accepted.append((self.headers["webhook-id"], message))
                receiver.accept(self.headers["webhook-id"])
            self._answer(status, headers)

        def _answer(self, status: int, headers: Mapping[str, str]) -> None:
            text = b"" if status == ACKNOWLEDGED[0] else json.dumps({"status": status}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if text:
                self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)
