"""Several log sources as one, such as the buckets of a game's sessions and of its purchases."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ds_assets.errors import InputError
from ds_assets.infra.log_source.base import Entries, LogSource, SourceObject
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.path_patterns import PathPattern


class CombinedLogSource:
    """Log sources as the folders of one.

    Args:
        sources: The log sources by the name of their folder.
        pattern: Where the files of a day are. Its first part matches the names of all sources.

    Raises:
        InputError: it does not match one of them.
    """

    def __init__(self, sources: Mapping[str, LogSource], pattern: PathPattern) -> None:
        for name in sources:
            if pattern.parts[0].has_day or pattern.parts[0].read(name) is None:
                raise InputError(
                    f"logs.path is {pattern.text}, where no file of the source {name} in "
                    "DS_ASSETS_SOURCE_URL is: the names of several sources are the first folder; "
                    "begin logs.path with */"
                )
        self._sources = sources
        self.pattern = pattern

    def __str__(self) -> str:
        return f"({', '.join(f'{name}={source}' for name, source in self._sources.items())})"

    def folder(self, day: dt.date) -> str:
        """See `DailyFiles`."""
        return DayFolders(self).folder(day)

    def objects(self, day: dt.date) -> list[SourceObject]:
        """See `DailyFiles`."""
        return DayFolders(self).objects(day)

    def entries(self, parent: str) -> Entries:
        """See `LogSource`."""
        name, _, folder = parent.partition("/")
        if not name:
            return Entries(frozenset(self._sources), {})
        if name not in self._sources:
            return Entries(frozenset(), {})
        folders, files = self._sources[name].entries(folder)
        return Entries(folders, {it: _within(name, file) for it, file in files.items()})

    def below(self, folder: str) -> list[SourceObject]:
        """See `LogSource`."""
        name, _, inner = folder.partition("/")
        if name not in self._sources:
            return []
        return [_within(name, file) for file in self._sources[name].below(inner)]

    def blocks(self, item: SourceObject) -> Iterator[bytes]:
        """See `DailyFiles`."""
        name, _, key = item.key.partition("/")
        return self._sources[name].blocks(replace(item, key=key))


def _within(name: str, file: SourceObject) -> SourceObject:
    return replace(file, key=f"{name}/{file.key}")
