"""The days of a log source, found by the names of folders and files.

Scope: which names belong to a day, with each folder listed once, and names that only look like it.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TypeAlias

from ds_assets.core.log_names import find_misnamed_days, is_log
from ds_assets.infra.log_source.base import LogSource, SourceChangedError, SourceObject

_MAX_NAMES = 20
"""Names that a message lists."""
_DAYS_PER_SEARCH = 31
"""Days that are looked for at once, where the newest ones are searched for."""
_Index: TypeAlias = Mapping[tuple[str, ...] | None, Sequence[str]]
"""Names by what they say of their day; those that do not fit the pattern by None."""


class DayFolders:
    """The folders and files of a log source that its days are in, as of one look at it.

    A folder whose names are compared with the pattern is listed once, and again after one of the
    files was found to have changed.
    """

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self._pattern = source.pattern
        self._entries = cache(source.entries)
        self._indexes: dict[tuple[str, int], _Index] = {}

    def folder(self, day: dt.date) -> str:
        """See `DailyFiles`."""
        return f"{f'{self._source}'.rstrip('/')}/{self._pattern.show(day)}"

    def objects(self, day: dt.date) -> list[SourceObject]:
        """See `DailyFiles`."""
        paths = self._find_paths(day)
        return sorted((it for path in paths for it in self._list(path)), key=lambda it: it.name)

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """See `DailyFiles`."""
        try:
            yield from self._source.blocks(item)
        except SourceChangedError:
            self._entries.cache_clear()
            self._indexes.clear()
            raise

    def find_days(self, days: Iterable[dt.date]) -> list[dt.date]:
        """Find the days with a folder or a file. Years and months without one are not listed."""
        return [day for day in days if self._find_paths(day, verified=True)]

    def find_newest_days(self, first: dt.date, last: dt.date) -> list[dt.date]:
        """Find the newest days from `first` to `last` with a folder or a file, ascending.

        They are those of the first `_DAYS_PER_SEARCH` days, counted back from the last one, of
        which any has one.
        """
        for end in range(last.toordinal(), first.toordinal() - 1, -_DAYS_PER_SEARCH):
            start = max(first.toordinal(), end - _DAYS_PER_SEARCH + 1)
            if days := self.find_days(map(dt.date.fromordinal, range(start, end + 1))):
                return days
        return []

    def describe_misnamed(self) -> Iterator[str]:
        """Yield a sentence for each folder, of those listed, with names that look like days."""
        for parent, depth in sorted(self._indexes):
            if names := self._find_misnamed(parent, depth):
                place = f"{self._source}".rstrip("/") + (f"/{parent}" if parent else "")
                yield (
                    f"{place}: {len(names)} names look like days and are not collected, because "
                    f"logs.path is {self._pattern.text}: {', '.join(names[:_MAX_NAMES])}"
                )

    def _find_paths(self, day: dt.date, *, verified: bool = False) -> list[str]:
        """Find what is named as the pattern says: folders, or files; only existing if verified."""
        paths = [""]
        for depth, part in enumerate(self._pattern.parts):
            if part.is_literal or (part.is_fixed and not verified):
                paths = [_join(parent, part.show(day)) for parent in paths]
                continue
            key = part.key(day)
            paths = [
                _join(parent, name)
                for parent in paths
                for name in self._index(parent, depth).get(key, ())
                if part.is_fixed or not verified or is_log(name)
            ]
        return paths

    def _index(self, parent: str, depth: int) -> _Index:
        """The names in a folder that fit a part of the pattern, by what they say of their day."""
        if (parent, depth) not in self._indexes:
            names = defaultdict(list)
            for name in self._candidates(parent, depth):
                names[self._pattern.parts[depth].read(name)].append(name)
            self._indexes[parent, depth] = names
        return self._indexes[parent, depth]

    def _candidates(self, parent: str, depth: int) -> set[str]:
        """The folders in a folder, and its files if they may be those of a day."""
        entries = self._entries(parent)
        is_last = depth == len(self._pattern.parts) - 1
        return {*entries.folders, *(entries.files if is_last else ())}

    def _find_misnamed(self, parent: str, depth: int) -> list[str]:
        part, folders = self._pattern.parts[depth], self._entries(parent).folders
        if not part.has_day:
            return []
        others = self._index(parent, depth).get(None, ())
        alike = (it for it in others if part.resembles(it) or (part.is_fixed and it in folders))
        return find_misnamed_days(alike, part)

    def _list(self, path: str) -> Iterator[SourceObject]:
        """Yield the files of a day at a path: those below it, or that of this very name."""
        if not self._pattern.is_fixed:
            yield from self._list_one_of_many(path)
        elif files := self._source.below(path):
            yield from files
        elif file := self._find_file(path):
            yield file

    def _list_one_of_many(self, path: str) -> Iterator[SourceObject]:
        """Yield the files at one of several paths of a day, with names that say which it is."""
        parent, _, name = path.rpartition("/")
        inside = path.removeprefix(f"{self._pattern.top}/")
        if name in self._entries(parent).folders:
            for item in self._source.below(path):
                yield replace(item, name=f"{inside}/{item.name}", folder=inside)
        if file := self._find_file(path):
            yield replace(file, name=inside, folder=inside.rpartition("/")[0])

    def _find_file(self, path: str) -> SourceObject | None:
        parent, _, name = path.rpartition("/")
        return self._entries(parent).files.get(name)


def _join(parent: str, name: str) -> str:
    return f"{parent}/{name}" if parent else name
