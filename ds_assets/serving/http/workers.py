"""The workers of one service: figures of all, of which one answers for all, and that they leave.

Belongs here: what workers, which are processes, share, and how they leave their figures to each
other.
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

PUBLISH_SECONDS = 1.0
"""So old may the figures of the other workers be."""


class Flag(Protocol):
    """A flag in memory that processes share."""

    value: bool


@dataclass(frozen=True)
class Shared:
    """What the workers of one service have in common.

    Attributes:
        folder: Where workers leave their figures for each other; none where there is only one.
        leaving: Whether the service ends soon, so that clients should go elsewhere.
    """

    folder: Path | None
    leaving: Flag


_log = logging.getLogger(__name__)


class Workers:
    """The workers of one service, by their processes' numbers.

    Args:
        folder: Where each leaves its figures; none where there is only one worker.
        snapshot: Gives those of this worker.
    """

    def __init__(self, folder: Path | None, snapshot: Callable[[], Snapshot]) -> None:
        self._folder = folder
        self._snapshot = snapshot
        self._decoder = msgspec.json.Decoder(Snapshot)

    def snapshots(self) -> dict[str, Snapshot]:
        """Figures of each: this one's of now, the others' of a second ago at most."""
        found = {}
        for file in sorted(self._folder.glob("*.json")) if self._folder else []:
            if _lives(int(file.stem)):
                found[file.stem] = self._decoder.decode(file.read_bytes())
        return found | {str(os.getpid()): self._snapshot()}

    async def publish(self) -> None:
        """Leave this worker's figures for the others, again and again, until cancelled."""
        if self._folder is None:
            return
        file = self._folder / f"{os.getpid()}.json"
        draft = file.with_suffix(".draft")
        while True:
            try:
                draft.write_bytes(msgspec.json.encode(self._snapshot()))
                draft.replace(file)
            except OSError as error:
                _log.warning("other workers do not learn of the figures here: %s", error)
            await asyncio.sleep(PUBLISH_SECONDS)


def _lives(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False
