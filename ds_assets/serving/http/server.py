"""The HTTP server, granian: how its worker processes are started, and what they listen on."""

import errno
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from ctypes import c_bool
from functools import partial
from http.client import HTTPConnection
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.log import LogLevels
from granian.server import Server
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from ds_assets.errors import InputError
from ds_assets.serving.http.app import App
from ds_assets.serving.http.auth import KeyFile, is_loopback
from ds_assets.serving.http.workers import Flag, Shared

DRAIN_S = 2
"""Seconds in which clients are asked to connect elsewhere, before connections are closed."""
_BACKLOG, _MAX_CONNECTIONS = 2_048, 10_000
"""Per worker: connections that wait to be accepted, and open ones. Requests have a limit of their
own, beyond which they are refused at once; they must not wait here for that refusal."""
_ANNOUNCE_S = 5
"""Seconds after which the service is said to have no predictions yet."""
KILL_TIMEOUT_S = 15
"""Seconds after which a worker that does not stop is killed. With the draining before it, it is
less than what a service manager waits."""


def serve(
    make_app: Callable[[Shared], App], keys: KeyFile, host: str, port: int, workers: int
) -> None:
    """Serve until this process is terminated, and print where, of what and to which clients.

    After SIGTERM all requests are served for a while, and clients are asked to connect elsewhere.
    After SIGINT only the requests in flight are.

    Args:
        make_app: Makes the application of each worker.
        keys: The API keys.
        host: Address to listen on.
        port: Port to listen on.
        workers: Number of processes.

    Raises:
        InputError: other machines could connect and there is no API key, or the address is not
            available.
    """
    address = _check_address(host, port)
    needs_key = bool(keys.read())
    if not (needs_key or is_loopback(address)):
        raise InputError(
            f"listening on {host} requires an API key; create one with `ds-assets keys add NAME`, "
            "or listen on 127.0.0.1"
        )
    _use_batch_scheduling()
    with TemporaryDirectory(prefix="ds-assets-") as folder:
        server = Server(
            "ds_assets",
            address=address,
            port=port,
            interface=Interfaces.RSGI,
            workers=workers,
            runtime_mode=RuntimeModes.mt,  # a twentieth less processor time per GET
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            backlog=_BACKLOG,
            backpressure=_MAX_CONNECTIONS,
        )
        shared = Shared(Path(folder) if workers > 1 else None, RawValue(c_bool, False))
        stop = server.signal_handler_interrupt
        server.on_startup(partial(_handle_signals, shared.is_draining, stop))
        access = "an API key is needed" if needs_key else "no API key is needed on this machine"
        announce = partial(_announce, address, port, workers, access)
        server.on_startup(threading.Thread(target=announce, daemon=True).start)
        server.serve(target_loader=partial(make_app, shared), wrap_loader=False)


def _announce(address: str, port: int, workers: int, access: str) -> None:
    """Print where the service listens, as soon as it answers which day's predictions it has."""
    waiting = Retrying(
        retry=retry_if_result(lambda data: data is None),
        wait=wait_fixed(0.2),
        stop=stop_after_delay(_ANNOUNCE_S),
        retry_error_callback=lambda _: "no predictions yet",
    )
    data = waiting(_read_served_day, address, port)
    host = f"[{address}]" if ":" in address else address
    processes = "1 worker" if workers == 1 else f"{workers} workers"
    print(  # noqa: T201  (it is a command's)
        f"Listening on http://{host}:{port} (docs at /docs), {processes}, {data}; {access}.",
        flush=True,
    )


def _read_served_day(address: str, port: int) -> str | None:
    """Ask the service itself; None if it does not answer, or has no day yet."""
    connection = HTTPConnection(address, port, timeout=_ANNOUNCE_S)
    with closing(connection), suppress(OSError):
        connection.request("GET", "/readyz")
        health = msgspec.json.decode(connection.getresponse().read())
        return f"predictions of {health['as_of']}" if health.get("as_of") else None
    return None


def _use_batch_scheduling() -> None:
    """Run workers, which inherit it, under SCHED_BATCH, so that threads do not preempt each other.

    A request passes through three threads of its worker. With preemption at each wake-up, a machine
    with two processors served a sixth fewer requests, each with a higher latency.
    """
    if sys.platform == "linux":
        with suppress(PermissionError):  # in a sandbox; the service is only somewhat slower
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _handle_signals(is_draining: Flag, stop: Callable[[], None]) -> None:
    """At SIGTERM ask clients to connect elsewhere before their connections are closed.

    A client that sends a request at the moment when its connection is closed would lose it.
    """

    def stop_now(*_: object) -> None:
        kill_workers_after(KILL_TIMEOUT_S)
        stop()

    def drain(*_: object) -> None:
        is_draining.value = True
        threading.Timer(DRAIN_S, stop_now).start()

    signal.signal(signal.SIGTERM, drain)
    signal.signal(signal.SIGINT, stop_now)


def kill_workers_after(seconds: float) -> None:
    """Kill the workers that still run after this time, and say so.

    The server's own timeout at times reports a worker as killed that has just ended, because two of
    its threads wait for each process and only one of them learns that it has ended.
    """

    def kill() -> None:
        for worker in multiprocessing.active_children():
            print(  # noqa: T201  (it is a command's)
                f"worker {worker.pid} did not stop within {seconds:g} s and was killed", flush=True
            )
            worker.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()


def _check_address(host: str, port: int) -> str:
    """Resolve a host, and check that its port is free: the server would silently share it."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno == errno.EADDRINUSE else error.strerror
        raise InputError(
            f"cannot listen on {host}, port {port}: {reason}; choose another --host or --port"
        ) from None
    return str(address[0])
