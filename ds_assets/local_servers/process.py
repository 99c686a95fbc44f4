"""Servers as child processes.

Scope: starting a server, waiting until it responds, and stopping or killing it.
"""

import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from ds_assets.errors import InputError

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 30
_SHOWN_LOG_CHARS = 2_000
_ADDRESS = "127.0.0.1"


def free_port() -> int:
    """Return an unused local port."""
    with socket.create_server((_ADDRESS, 0)) as listener:
        return int(listener.getsockname()[1])


def accepts(port: int) -> bool:
    """Return whether a local port accepts connections."""
    try:
        socket.create_connection((_ADDRESS, port), timeout=1).close()
    except OSError:
        return False
    return True


class ServerProcess:
    """A server that can be started, stopped or killed, and restarted.

    Args:
        command: The command that runs it.
        log: File that receives its output.
        is_up: Returns whether it responds; polled at start.
        environment: Variables in addition to those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        is_up: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = command
        self._log = log
        self._is_up = is_up
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it responds.

        Raises:
            InputError: it exited or does not respond; the message contains the end of its log.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (commands of this package)
                self._command, stdout=log, stderr=log, env=self._environment
            )
        waiting = Retrying(
            retry=retry_if_result(lambda done: not done),
            wait=wait_fixed(0.02),
            stop=stop_after_delay(_START_TIMEOUT_S),
        )
        try:
            waiting(lambda: self._has_ended() or self._is_up())
        except RetryError:
            self.kill()
        if self._has_ended():
            log_end = self._log.read_text(errors="replace")[-_SHOWN_LOG_CHARS:]
            raise InputError(f"{self._command[0]} does not start:\n{log_end}")

    def stop(self) -> None:
        """Terminate it, and wait until it has ended."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill it, as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None
