"""Whether the cache and the results table hold predictions of this installation's own lake.

Scope: the check of a running service. Which lake may write is decided in `installation_ids`.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from ds_assets.errors import InputError, Unavailable
from ds_assets.serving.answer import Source
from ds_assets.serving.newest_day import NewestDay
from ds_assets.serving.sources import Sources

CHECK_INTERVAL_S = 10.0
"""Seconds between two checks: another lake may take over the name at any time."""
_WAIT_S = 1.0
"""Seconds that a check is waited for; one that takes longer continues in the background."""

_log = logging.getLogger(__name__)


class Ownership:
    """Stops the use of a store whose rows of the installation's name are another lake's.

    Without a lake that has an id, such as on a machine that only serves, nothing can be compared,
    and the name alone counts.

    Args:
        sources: The sources; the stores among them are checked.
        newest_day: Forgets what it learned from a foreign store.
    """

    def __init__(self, sources: Sources, newest_day: NewestDay) -> None:
        self._sources, self._newest_day = sources, newest_day
        self._lake_id: str | None = None
        self._due = 0.0
        self._check: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Check the stores, unless that was done a moment ago or is still being done."""
        loop = asyncio.get_running_loop()
        if self._check is None or (self._check.done() and loop.time() >= self._due):
            self._check = loop.create_task(self._compare())
        await asyncio.wait([self._check], timeout=_WAIT_S)

    def close(self) -> None:
        """Cancel a check that is under way."""
        if self._check is not None:
            self._check.cancel()

    async def _compare(self) -> None:
        sources = self._sources
        if self._lake_id is None:
            try:
                self._lake_id = await sources.run("live", sources.live.lake_id)
            except (InputError, Unavailable) as error:
                _log.warning("the id of the lake is unknown: %s", error)
        if (lake_id := self._lake_id) is not None:
            await asyncio.gather(
                self._compare_store("cache", partial(sources.cache.refuse_foreign, lake_id)),
                self._compare_store("table", partial(sources.results.refuse_foreign, lake_id)),
            )
        self._due = asyncio.get_running_loop().time() + CHECK_INTERVAL_S

    async def _compare_store(self, source: Source, refuse_foreign: Callable[[], None]) -> None:
        dependency = self._sources.dependencies[source]
        try:
            await self._sources.run(source, refuse_foreign)
        except Unavailable:
            return  # its circuit breaker notices
        except InputError as error:
            if not dependency.is_foreign:
                _log.error("not answering from the %s: %s", source, error)
                self._newest_day.forget()
            dependency.is_foreign = True
        else:
            dependency.is_foreign = False
