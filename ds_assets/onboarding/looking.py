"""Looking at a log source: which files in it are the logs, and a sample of their lines."""

import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ds_assets.closed_days import WEEKDAYS
from ds_assets.core.log_names import is_log
from ds_assets.errors import InputError
from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.onboarding.columns import tabulate
from ds_assets.onboarding.fields import Lines
from ds_assets.onboarding.guess import show_value, show_values
from ds_assets.onboarding.guessing import Source
from ds_assets.onboarding.layouts import Layout, common_name, group_by_kind, guess_layout
from ds_assets.onboarding.samples import FileFormat, find_format, read_lines
from ds_assets.onboarding.sources import (
    Browsable,
    Listing,
    choose_files,
    copy_file,
    list_source,
)
from ds_assets.path_patterns import PathPattern

_ALIKE = 0.5
"""Share of columns that files of one kind of log have in common."""
_WEEKS = 8
_MAX_KINDS = 40
"""Kinds of names that are looked into."""

_DatedLine = tuple[dt.date | None, Mapping[str, Any]]
"""The day of its file, and a line."""


@dataclass
class _Log:
    """Files that are alike.

    Attributes:
        file_format: Their format.
        files: Their paths.
        lines: Lines of some of them, each with its day.
        columns: Names of the columns of these lines.
    """

    file_format: FileFormat
    files: list[str] = field(default_factory=list)
    lines: list[_DatedLine] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Look:
    """What a look at a source has shown.

    Attributes:
        source: The logs.
        others: A sentence for each further kind of files, which are not read.
    """

    source: Source
    others: tuple[str, ...]


def look_at(source: Browsable, place: str, name: str) -> Look:
    """Look at a log source.

    Args:
        source: The source.
        place: The source in words.
        name: Name of the game.

    Raises:
        InputError: there are no log files in it, or none that can be read.
        Unavailable: the source cannot be used.
    """
    listing = list_source(source)
    if not listing.logs:
        ignored = f"; it has {len(listing.files):,} other files" if listing.files else ""
        raise InputError(f"{place} has no log files{ignored}")
    logs = _group_files(listing, source)
    if not logs:
        raise InputError(
            f"no file in {place} has lines of JSON, CSV or Parquet that can be read; the last one "
            f"is {show_value(listing.logs[-1])}"
        )
    size = {path: item.size for path, item in listing.files.items()}
    logs.sort(key=lambda log: -sum(size[path] for path in log.files))
    main, *others = logs
    layout = guess_layout(main.files, listing.folders)
    if layout:
        layout = _narrow(layout, main, others)
    table = tabulate(line for _, line in main.lines)
    days = pd.Series([day for day, _ in main.lines], dtype=object, index=table.index)
    return Look(
        Source(
            name=name,
            layout=layout,
            file_format=main.file_format,
            lines=Lines(table, days, main.file_format.form),
            marker=_find_marker(listing, layout),
            closed_days=_find_closed_days(layout),
        ),
        tuple(_describe(it, layout) for it in others),
    )


def _group_files(listing: Listing, source: Browsable) -> list[_Log]:
    """Group the files by format and columns."""
    layout = guess_layout(listing.logs, listing.folders)
    kinds = group_by_kind(listing.logs).values()
    logs: list[_Log] = []
    for paths in sorted(kinds, key=lambda it: -len(it))[:_MAX_KINDS]:
        with tempfile.TemporaryDirectory(prefix="ds_assets_") as folder:
            chosen = choose_files(paths, layout)
            files = {path: copy_file(path, listing, source, Path(folder)) for path in chosen}
            read = _read([*filter(None, files.values())], layout)
        if read and (log := _place(*read, logs)):
            log.lines += read[1]
            log.files += paths
    if len(logs) == 1:
        logs[0].files = listing.logs
    return logs


def _read(
    files: Sequence[RawFile], layout: Layout | None
) -> tuple[FileFormat, list[_DatedLine]] | None:
    """Read files of one kind in the format of the largest; None if it has none."""
    largest = max(files, key=lambda file: file.path.stat().st_size, default=None)
    file_format = largest and find_format(largest)
    if not file_format:
        return None
    days = layout.day_of if layout else {}
    return file_format, [
        (days.get(file.name), line) for file in files for line in read_lines(file, file_format)
    ]


def _place(file_format: FileFormat, lines: Sequence[_DatedLine], logs: list[_Log]) -> _Log | None:
    """The log that lines belong to: that with the same format and mostly the same columns."""
    columns = {name for _, line in lines for name in line}
    if not columns:
        return None
    for log in logs:
        common = len(columns & log.columns)
        is_like = common >= _ALIKE * min(len(columns), len(log.columns))
        if log.file_format.name == file_format.name and is_like:
            log.columns |= columns
            return log
    logs.append(_Log(file_format, columns=columns))
    return logs[-1]


def _narrow(layout: Layout, main: _Log, others: Sequence[_Log]) -> Layout:
    """Add names of folders and files to the path until it fits no files of other logs."""
    main_names = [path.split("/") for path in main.files]
    strangers = [path for log in others for path in log.files]
    for depth in range(layout.path.count("/") + 1, min(map(len, main_names))):
        strangers = [path for path in strangers if _fits(path, layout)]
        if not strangers:
            break
        name = common_name(names[depth] for names in main_names)
        layout = replace(layout, path=f"{layout.path}/{name}")
    return layout


def _fits(path: str, layout: Layout) -> bool:
    """Whether the files of a day are those at a path, or have it among them."""
    parts, names = PathPattern(layout.path).parts, path.split("/")
    return len(names) >= len(parts) and all(
        part.read(name) is not None for part, name in zip(parts, names, strict=False)
    )


def _find_marker(listing: Listing, layout: Layout | None) -> str | None:
    """Find the name of an empty file that nearly all folders of days have."""
    if layout is None:
        return None
    folders = Counter(path.rpartition("/")[0] for path in listing.logs)
    names = Counter(
        name
        for folder, _, name in (path.rpartition("/") for path in listing.files)
        if folder in folders and name.startswith(("_", ".")) and not is_log(name)
    )
    marker, count = next(iter(names.most_common(1)), ("", 0))
    return marker if marker.startswith("_SUCCESS") and count >= 0.9 * len(folders) else None


def _find_closed_days(layout: Layout | None) -> tuple[str, ...]:
    """Find weekdays without logs in weeks in which the others nearly always have some."""
    if layout is None:
        return ()
    newest = layout.days[-1]
    recent = [it for it in layout.days if (newest - it).days < 7 * _WEEKS]
    weeks = Counter(it.weekday() for it in recent)
    often = {it for it, count in weeks.items() if count >= _WEEKS - 1}
    never = [name for number, name in enumerate(WEEKDAYS) if number not in weeks]
    return tuple(never) if len(often) + len(never) == len(WEEKDAYS) else ()


def _describe(log: _Log, layout: Layout | None) -> str:
    is_read = layout is None or any(_fits(path, layout) for path in log.files)
    return (
        f"{len(log.files):,} files of another kind are {'read, too' if is_read else 'not read'}, "
        f"such as {show_value(log.files[0])}, with the fields "
        f"{show_values(sorted(log.columns)[:8])}"
    )
