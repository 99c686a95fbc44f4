"""A server as a process of this one.

Belongs here: starting it, waiting until it answers, and ending it in an orderly way or not.
"""

import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from ds_assets.errors import InputError

_START_SECONDS = 60
_END_SECONDS = 30
_SHOWN = 2_000
_ADDRESS = "127.0.0.1"


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server((_ADDRESS, 0)) as listener:
        return int(listener.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    try:
        socket.create_connection((_ADDRESS, port), timeout=1).close()
    except OSError:
        return False
    return True


class ServerProcess:
    """A server that can be started, ended, killed, and started again.

    Args:
        command: What to run.
        log: File that takes all that it prints.
        is_up: Whether it answers; asked until it does.
        environment: Variables that it has beside those of this process.
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
        """Start it, and come back when it answers.

        Raises:
            InputError: it ended, or does not answer; the message has the end of its log.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (commands of this package)
                self._command, stdout=log, stderr=log, env=self._environment
            )
        waiting = Retrying(
            retry=retry_if_result(lambda done: not done),
            wait=wait_fixed(0.02),
            stop=stop_after_delay(_START_SECONDS),
        )
        try:
            waiting(lambda: self._has_ended() or self._is_up())
        except RetryError:
            self.kill()
        if self._has_ended():
            said = self._log.read_text(errors="replace")[-_SHOWN:]
            raise InputError(f"{self._command[0]} does not start:\n{said}")

    def stop(self) -> None:
        """Ask it to end, and wait for that."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None
