"""What the worker processes of one service share: a flag that it is draining, and their metrics.

Each worker publishes its metrics as a file, so that any worker can report those of all.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from ds_assets.serving.http.metrics import Snapshot

PUBLISH_INTERVAL_S = 1.0
"""Seconds between two publications: the metrics of other workers are at most so old."""


class Flag(Protocol):
    """A flag in memory that is shared by processes."""

    value: bool


@dataclass(frozen=True)
class Shared:
    """What the workers of one service have in common.

    Attributes:
        folder: Folder of published metrics; none if there is only one worker.
        is_draining: Whether the service is shutting down, so that clients should connect elsewhere.
    """

    folder: Path | None
    is_draining: Flag


_log = logging.getLogger(__name__)


class Workers:
    """Metrics of the workers of one service, by process id.

    Args:
        folder: Folder of published metrics; none if there is only one worker.
        snapshot: Returns the metrics of this worker.
    """

    def __init__(self, folder: Path | None, snapshot: Callable[[], Snapshot]) -> None:
        self._folder = folder
        self._snapshot = snapshot
        self._decoder = msgspec.json.Decoder(Snapshot)

    def snapshots(self) -> dict[str, Snapshot]:
        """Metrics of each worker: of this one as of now, of others as last published."""
        snapshots = {}
        for file in sorted(self._folder.glob("*.json")) if self._folder else []:
            if _is_alive(int(file.stem)):
                snapshots[file.stem] = self._decoder.decode(file.read_bytes())
        return snapshots | {str(os.getpid()): self._snapshot()}

    async def publish(self) -> None:
        """Publish the metrics of this worker every second until cancelled."""
        if self._folder is None:
            return
        file = self._folder / f"{os.getpid()}.json"
        draft = file.with_suffix(".draft")
        while True:
            try:
                draft.write_bytes(msgspec.json.encode(self._snapshot()))
                draft.replace(file)
            except OSError as error:
                _log.warning("could not publish this worker's metrics: %s", error)
            await asyncio.sleep(PUBLISH_INTERVAL_S)


def _is_alive(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False
