"""The server: granian, with its workers.

Belongs here: how processes are started, and where they listen.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from ctypes import c_bool
from functools import partial
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from tempfile import TemporaryDirectory

from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.log import LogLevels
from granian.server import Server

from ds_assets.errors import InputError
from ds_assets.serving.http.app import App
from ds_assets.serving.http.auth import KeyFile, is_loopback
from ds_assets.serving.http.workers import Flag, Shared

LEAVE_SECONDS = 2
"""So long clients are asked to go elsewhere, before no more of them are answered."""
_WAITING, _MOST_CONNECTIONS = 2_048, 10_000
"""Of one worker: connections that wait to be accepted, and those that are open. Requests have a
limit of their own, beyond which one is refused at once: it must not wait here to be told so."""
STOP_SECONDS = 30
"""After so long a worker that does not end is killed."""


def serve(
    make_app: Callable[[Shared], App], keys: KeyFile, host: str, port: int, workers: int
) -> None:
    """Answer requests until this process is told to end.

    At SIGTERM clients are asked to go elsewhere for a while, in which all of them are answered; at
    SIGINT those that have asked are answered, and no more.

    Args:
        make_app: Makes the application, in each worker.
        keys: The API keys.
        host: Address to listen at.
        port: Port to listen at.
        workers: Processes.

    Raises:
        InputError: others than this machine could ask, and there is no key; or it is not possible
            to listen there.
    """
    address = _free_address(host, port)
    if not (keys.read() or is_loopback(address)):
        raise InputError(
            f"listening at {host} needs an API key; make one with `ds-assets keys add NAME`, or "
            "listen at 127.0.0.1"
        )
    _let_threads_finish()
    with TemporaryDirectory(prefix="ds-assets-") as folder:
        server = Server(
            "ds_assets",
            address=address,
            port=port,
            interface=Interfaces.RSGI,
            workers=workers,
            runtime_mode=RuntimeModes.mt,  # a GET takes a twentieth less than with its other one
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            workers_kill_timeout=STOP_SECONDS,
            backlog=_WAITING,
            backpressure=_MOST_CONNECTIONS,
        )
        shared = Shared(Path(folder) if workers > 1 else None, RawValue(c_bool, False))
        server.on_startup(partial(_leave_slowly, shared.leaving, server.signal_handler_interrupt))
        server.serve(target_loader=partial(make_app, shared), wrap_loader=False)


def _let_threads_finish() -> None:
    """Have no thread of the workers, which inherit it, interrupt another whenever it wakes up.

    A request goes through three threads of its worker. Where each interrupted the one before, a
    machine of two processors answered a sixth fewer, and each of them later.
    """
    if sys.platform == "linux":
        with suppress(PermissionError):  # of a sandbox; it is the same service, somewhat slower
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _leave_slowly(leaving: Flag, end: Callable[[], None]) -> None:
    """At SIGTERM send clients away before their connections are closed.

    A client that asks on a connection at the moment when it is closed would lose its request.
    """

    def leave(*_: object) -> None:
        leaving.value = True
        threading.Timer(LEAVE_SECONDS, end).start()

    signal.signal(signal.SIGTERM, leave)


def _free_address(host: str, port: int) -> str:
    """The address of a host, if nobody listens there: the server would share it in silence."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        raise InputError(f"listening at {host}, port {port}, is not possible: {error}") from None
    return str(address[0])
