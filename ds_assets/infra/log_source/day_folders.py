"""The folders of days in a log source, found by the names of folders, without listing files."""

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import cache

from ds_assets.core.log_names import find_misnamed_days
from ds_assets.infra.log_source.base import LogSource

_MAX_NAMES = 20
"""Names of folders that a message lists."""
_DAYS_PER_SEARCH = 31
"""Days that are looked for at once, where the newest ones are searched for."""


class DayFolders:
    """The folders of a log source that its days are in; each parent is listed once.

    Args:
        source: The log source.
        pattern: `strftime` pattern of a day's folder.
    """

    def __init__(self, source: LogSource, pattern: str) -> None:
        self._source = source
        self._parts = pattern.split("/")
        self._patterns: dict[str, str] = {}
        self._names = cache(lambda parent: frozenset(source.folders(parent)))

    def find_days(self, days: Iterable[dt.date]) -> list[dt.date]:
        """Find the days that have a folder. Years and months without one are not looked into."""
        for depth, part in enumerate(self._parts):
            if "%" in part:
                days = [day for day in days if day.strftime(part) in self._beside(day, depth)]
        return list(days)

    def find_newest_days(self, first: dt.date, last: dt.date) -> list[dt.date]:
        """Find the newest days from `first` to `last` that have a folder, ascending.

        They are those of the first `_DAYS_PER_SEARCH` days, counted back from the last one, of
        which any has a folder.
        """
        for end in range(last.toordinal(), first.toordinal() - 1, -_DAYS_PER_SEARCH):
            start = max(first.toordinal(), end - _DAYS_PER_SEARCH + 1)
            if days := self.find_days(map(dt.date.fromordinal, range(start, end + 1))):
                return days
        return []

    def describe_misnamed(self) -> Iterator[str]:
        """Yield a sentence for each parent, of those listed, with folders that look like days."""
        path = "/".join(self._parts)
        for parent, part in sorted(self._patterns.items()):
            if names := find_misnamed_days(self._names(parent), part):
                place = f"{self._source}".rstrip("/") + (f"/{parent}" if parent else "")
                yield (
                    f"{place}: {len(names)} folders look like days and are not collected, because "
                    f"logs.path names days {path}: {', '.join(names[:_MAX_NAMES])}"
                )

    def _beside(self, day: dt.date, depth: int) -> frozenset[str]:
        parent = day.strftime("/".join(self._parts[:depth]))
        self._patterns[parent] = self._parts[depth]
        return self._names(parent)
