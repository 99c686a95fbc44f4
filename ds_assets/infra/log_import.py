"""Importing log files that are not split by day: into files of days, where a log source has them.

Scope: which files are imported, and replacing files of days. Splitting a file is in
`infra.engines.day_split`.
"""

import datetime as dt
import fcntl
import filecmp
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias
from zoneinfo import ZoneInfo

import duckdb

from ds_assets.core.day_ranges import list_days
from ds_assets.core.decompression import DamagedFileError, decompress
from ds_assets.core.log_names import is_log
from ds_assets.core.raw_text import utf8
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.engines.day_split import Day, Undated, split_file
from ds_assets.infra.engines.line_times import earliest_date
from ds_assets.infra.engines.raw_files import RawFile, RawText, number_files

UNDATED = "_undated"
"""Folder of the lines whose time cannot be read; by its name, none of its files is a log."""
_STAGING = "_importing"
_COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz", ".lz4", ".sz", ".snappy")

Change: TypeAlias = Literal["new", "replaced", "unchanged"]
ReportBytes: TypeAlias = Callable[[int], None]
"""Receives the number of bytes of a file that were read."""


@dataclass
class Import:
    """The result of importing files.

    Attributes:
        lines: Number of lines of each day.
        files: Number of files of days, by what the import did to them.
        undated: Lines whose time cannot be read, by file and reason.
        damaged: Files that are not imported, with the reason.
        earlier: Days of which there is a file of an earlier import, and no line in this one, by
            its name.
    """

    lines: Counter[dt.date] = field(default_factory=Counter)
    files: Counter[Change] = field(default_factory=Counter)
    undated: dict[tuple[str, str], Undated] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    earlier: dict[str, list[dt.date]] = field(default_factory=dict)


def list_files(paths: Sequence[Path]) -> dict[str, Path]:
    """List files by name: their own, or in a folder their path below it.

    Raises:
        InputError: a path does not exist, is not a log by its name, or its files of days would have
            the names of another one's; or there is no file.
    """
    files: dict[str, Path] = {}
    stems: dict[str, Path] = {}
    for path in paths:
        for name, file in _list_path(path):
            stem = _without_compression(name)
            if stems.setdefault(stem, file) != file:
                raise InputError(
                    f"the files of days of {stems[stem]} and {file} would have one name, {stem}; "
                    "import the folder that both are in, or rename one of them"
                )
            files[name] = file
    if not files:
        raise InputError(f"there is no log file in {', '.join(map(str, paths))}")
    return files


def _list_path(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if file.is_file() and is_log(name):
                yield name, file
    elif not path.exists():
        raise InputError(f"{path} does not exist; name a file or a folder with log files")
    elif is_log(path.name):
        yield path.name, path
    else:
        raise InputError(f"{path.name} is not the name of a log file; rename it")


def day_file_name(name: str, file_format: str) -> str:
    """Return the name of the files of days of a file: text is compressed with gzip.

    Args:
        name: Name of the file.
        file_format: Its format, as `logs.format`.
    """
    return name if file_format == "parquet" else f"{_without_compression(name)}.gz"


def _without_compression(name: str) -> str:
    suffix = next((it for it in _COMPRESSIONS if name.lower().endswith(it)), "")
    return name[: len(name) - len(suffix)]


@contextmanager
def open_importer(game: Game, place: Path, memory_limit_mb: int) -> Iterator["Importer"]:
    """Open an importer, whose unfinished files are deleted at the end.

    Args:
        game: Format, where the time of a line is, and where the files of a day are.
        place: Folder of the log source; it is created.
        memory_limit_mb: Memory of DuckDB.

    Raises:
        InputError: another import writes to the folder, or it cannot be written to.
    """
    staging = place / _STAGING
    limits: dict[str, Any] = {"threads": 1, "memory_limit": f"{memory_limit_mb}MB"}
    with _locking(place), duckdb.connect(config=limits) as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            yield Importer(game, place, staging, connection)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _locking(place: Path) -> Iterator[None]:
    """Create a folder, and hold a lock of it, which ends with the process at the latest."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = os.open(place, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{place} cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise InputError(f"another import writes to {place}; wait until it has ended") from None
    finally:
        os.close(lock)


class Importer:
    """Writes the lines of files into the folders of their days; see `open_importer`.

    Each file has a file of each of its days. They are complete when they appear, and replace those
    of an earlier import of a file of the same name.

    Attributes:
        result: The result so far.
    """

    def __init__(
        self, game: Game, place: Path, staging: Path, connection: duckdb.DuckDBPyConnection
    ) -> None:
        self.result = Import()
        self._game = game
        self._place = place
        self._staging = staging
        self._connection = connection
        self._today = dt.datetime.now(ZoneInfo(game.time_zone)).date()
        tomorrow = self._today + dt.timedelta(days=1)
        days = list_days(earliest_date(game), tomorrow)
        self._days_before = [day for day in days if self._folder(day).is_dir()]

    def add(self, name: str, path: Path, report: ReportBytes) -> None:
        """Import a file, or the logs in a zip archive; a damaged one only is added to the result.

        Raises:
            InputError: it cannot be opened, or its files of days cannot be written.
        """
        file = _ReportedFile(self._today, name, path, report)
        try:
            for part in number_files([file]).values():
                self._add(part)
        except OSError as error:
            raise InputError(f"{path} cannot be imported: {error}") from None

    def _add(self, file: RawText) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir()
        try:
            name, game = self._recognize(file.name)
            split = split_file(self._connection, file, game, self._staging)
        except DamagedFileError as error:
            self.result.damaged[file.name] = str(error)
            return
        for day, ready in split.files.items():
            change = _replace(ready, self._folder(day) / name)
            if day:
                self.result.files[change] += 1
                self.result.lines[day] += split.lines[day]
        self._forget_days_before(name, split.files)
        self.result.undated |= {(file.name, why): it for why, it in split.undated.items()}

    def _recognize(self, name: str) -> tuple[str, Game]:
        """Return the name of a file's files of days, and the game as files of their kind are."""
        kinds, pattern = self._game.logs.kinds, self._game.log_path
        if not kinds:
            return day_file_name(name, self._game.logs.format), self._game
        folder = pattern.fill(self._today).removeprefix(f"{pattern.top}/")
        for kind, game in ((kind, self._game.of_kind(kind)) for kind in kinds):
            own = day_file_name(name, game.logs.format)
            in_lake = own if pattern.is_fixed else f"{folder}/{own}"
            if self._game.logs.find_kinds(in_lake) == [kind]:
                return own, game
        raise DamagedFileError(f"its files of days, {in_lake}, are not of one kind in logs.kinds")

    def _forget_days_before(self, name: str, files: Mapping[Day, Path]) -> None:
        if None not in files:
            (self._folder(None) / name).unlink(missing_ok=True)
        others = (day for day in self._days_before if day not in files)
        if earlier := [day for day in others if (self._folder(day) / name).is_file()]:
            self.result.earlier[name] = earlier

    def _folder(self, day: Day) -> Path:
        return self._place / (self._game.log_path.fill(day) if day else UNDATED)


def _replace(ready: Path, target: Path) -> Change:
    """Move a file to its place; an equal one there keeps its time, and is not copied again."""
    if target.is_file() and filecmp.cmp(ready, target, shallow=False):
        return "unchanged"
    change: Change = "replaced" if target.exists() else "new"
    target.parent.mkdir(parents=True, exist_ok=True)
    ready.replace(target)
    return change


@dataclass(frozen=True)
class _ReportedFile(RawFile):
    """A file that reports how far it was read."""

    report: ReportBytes

    def content(self) -> Iterator[bytes]:
        """See `RawFile`."""
        opened: list[BinaryIO] = []

        def open_raw() -> BinaryIO:
            opened.append(self.path.open("rb"))
            return opened[-1]

        for part in utf8(decompress(open_raw)):
            if not opened[-1].closed:
                self.report(opened[-1].tell())
            yield part
