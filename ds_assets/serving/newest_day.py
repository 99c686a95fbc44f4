"""The newest day that answers can come from, and its group defaults."""

import logging

from ds_assets.core.group_defaults import GroupDefaults, encode_group_defaults
from ds_assets.infra.cache.format import WITHDRAWN, CachedDays
from ds_assets.infra.results.database import ResultsUnavailable
from ds_assets.serving.background import BackgroundTasks
from ds_assets.serving.circuit_breaker import DependencyUnavailable
from ds_assets.serving.sources import Sources

_log = logging.getLogger(__name__)


class NewestDay:
    """Keeps track of the newest day.

    Args:
        sources: Where a newer day may come from.
        background: Runs the query for group defaults.

    Attributes:
        as_of: The day, as `date.toordinal()`; 0 as long as there is none.
        defaults: The newest group defaults; they may be of an earlier day.
    """

    def __init__(self, sources: Sources, background: BackgroundTasks) -> None:
        self._sources, self._background = sources, background
        self.as_of = 0
        self.defaults = GroupDefaults()
        self._is_querying = False

    def update_from_cache(self, days: CachedDays) -> None:
        """Take note of the cache's newest day; an older one only if the known one was withdrawn."""
        if days.deliveries.get(self.as_of) == WITHDRAWN:
            self.forget()
        self.update(days.newest)

    def forget(self) -> None:
        """Forget the day and its group defaults."""
        self.as_of, self.defaults = 0, GroupDefaults()

    def update(self, defaults: GroupDefaults) -> None:
        """Take note of a day and its group defaults; older ones are ignored."""
        if defaults.as_of >= self.defaults.as_of:
            self.defaults = defaults
            self.as_of = max(self.as_of, defaults.as_of)

    async def refresh(self) -> None:
        """Look for a newer day in the cache, or in the table if the cache knows none.

        The cache goes first: the table has a day some time before all of it is in the cache.
        """
        cached, _ = await self._sources.fetch_cached([])
        if cached is not None:
            self.update_from_cache(cached)
            if cached.newest.as_of:
                return
        try:
            delivered = await self._sources.call("table", self._sources.results.current_day)
        except DependencyUnavailable:
            return
        if delivered is not None:
            self.as_of = max(self.as_of, delivered.toordinal())
        if self.defaults.as_of < self.as_of and not self._is_querying:
            self._background.start(self._query_group_defaults())

    async def _query_group_defaults(self) -> None:
        """Ask the table for the group defaults of its newest day, for which it reads all of it."""
        self._is_querying = True
        try:
            rows = await self._sources.run("table", self._sources.results.defaults)
        except ResultsUnavailable as error:
            _log.warning("could not load the group defaults of the newest day: %s", error)
        else:
            for as_of in rows["as_of"].to_pylist()[:1]:
                self.update(encode_group_defaults(as_of, rows))
        finally:
            self._is_querying = False
