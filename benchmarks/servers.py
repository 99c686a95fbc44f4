"""A server under load, and the resources that its processes use.

Scope: starting any such server and observing it.
"""

import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from ds_assets.local_servers.process import ServerProcess, free_port

_TICKS = os.sysconf("SC_CLK_TCK")


class HttpServer(ServerProcess):
    """A server of HTTP on a free port.

    Args:
        command: What to run; `{port}` stands for the port.
        ready: Path that answers with 200 once the server can be used.
        folder: Takes its log; it is made.
        environment: Variables that it has beside those of this process.

    Attributes:
        url: Its address.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        ready: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        parts = [str(part).format(port=port) for part in command]
        up = self.url + ready
        super().__init__(parts, folder / "log.txt", lambda: _is_up(up), environment)

    @property
    def pid(self) -> int:
        """Process that was started.

        Raises:
            ValueError: none was.
        """
        if self._process is None:
            raise ValueError("the server is not started")
        return self._process.pid


def workers_of(server: HttpServer) -> list[int]:
    """Processes of its workers: those that it has started."""
    return children_of(server.pid)


def children_of(pid: int) -> list[int]:
    """Processes that a process has started and that have not ended."""
    return [
        int(child)
        for file in Path(f"/proc/{pid}/task").glob("*/children")
        for child in file.read_text(encoding="ascii").split()
    ]


def resident_mb(pid: int) -> float:
    """Memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time that processes have used."""
    return sum(_ticks(pid) for pid in pids) / _TICKS


def _ticks(pid: int) -> int:
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    user, system = after_name[11:13]
    return int(user) + int(system)


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310  (made here)
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False
