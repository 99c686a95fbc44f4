"""The Dagster UI and its daemon for the installation of the environment.

Scope: the processes. Their instance is opened by `runs`.
"""

import signal
import socket
import subprocess
import sys
from pathlib import Path

from ds_assets.errors import InputError

HOST = "127.0.0.1"
"""The UI has no sign-in, so only this machine connects to it."""
_INTERRUPTED = (0, -signal.SIGINT, 128 + signal.SIGINT)
"""Exit codes of the UI after SIGINT."""
_WORKSPACE = Path(__file__).with_name("workspace.yaml")


def start_ui(port: int) -> subprocess.Popen[bytes]:
    """Start the UI and its daemon. They end together, at SIGINT or SIGTERM.

    Raises:
        InputError: the port is in use.
    """
    refuse_used_port(port)
    command = [str(Path(sys.executable).with_name("dg")), "dev", "--workspace", str(_WORKSPACE)]
    where = ["--host", HOST, "--port", str(port), "--log-level", "warning"]
    return subprocess.Popen([*command, *where])  # noqa: S603  (fixed)


def refuse_used_port(port: int) -> None:
    """Refuse a port that another process listens on.

    Raises:
        InputError: the port is in use.
    """
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise InputError(
            f"cannot listen on {HOST}, port {port}: {error}; choose another --port"
        ) from None


def serve_ui(port: int) -> None:
    """Serve the UI until Ctrl-C or SIGTERM.

    Raises:
        InputError: the port is in use, or the UI ended by itself.
    """
    # A shell that starts a command in the background lets it ignore SIGINT, by which the UI ends.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ui = start_ui(port)
    # Ctrl-C reaches all processes of the terminal; SIGTERM reaches this one alone.
    signal.signal(signal.SIGTERM, lambda *_: ui.send_signal(signal.SIGINT))
    address = f"http://{HOST}:{port}"
    print(  # noqa: T201
        f"The Dagster UI will be at {address}, until Ctrl-C; the lineage of all assets at "
        f"{address}/asset-groups",
        flush=True,
    )
    try:
        code = ui.wait()
    except KeyboardInterrupt:
        code = ui.wait()
    if code not in _INTERRUPTED:
        raise InputError(f"the UI ended with code {code}; its messages are above")
