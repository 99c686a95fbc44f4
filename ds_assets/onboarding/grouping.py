"""Reading some files of a source, and grouping those that are alike."""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ds_assets.infra.engines.raw_files import RawFile
from ds_assets.onboarding.columns import tabulate
from ds_assets.onboarding.fields import Lines, read_values
from ds_assets.onboarding.kinds import GuessedKind, Kind
from ds_assets.onboarding.layouts import Layout, group_by_kind, guess_layout
from ds_assets.onboarding.samples import FileFormat, find_format, read_lines
from ds_assets.onboarding.sources import Browsable, Listing, choose_files, copy_file

_ALIKE = 0.5
"""Share of columns that files of one kind of log have in common."""
_USUAL = 0.9
"""Share of lines that have a column, or a type, from which it is usual."""
_COMPARED = 1_000
"""Lines of files by which these are compared with others."""
_MAX_KINDS = 40
"""Kinds of names that are looked into."""

_NamedLine = tuple[str, Mapping[str, Any]]
"""The path of its file, and a line."""


@dataclass
class Log:
    """Files that are alike.

    Attributes:
        file_format: Their format.
        files: Their paths.
        lines: Lines of some of them, each with the path of its file.
        user_path: See `Kind`.
    """

    file_format: FileFormat
    files: list[str]
    lines: list[_NamedLine]
    user_path: str = ""

    @cached_property
    def compared(self) -> GuessedKind:
        """The guesses about some of the lines."""
        return GuessedKind(self.describe(None, len(self.lines) // _COMPARED + 1), {})

    def columns(self, least: float = 0.0) -> set[str]:
        """The names of the columns, or of those with a value in a share of lines at least."""
        lines = [line for _, line in self.lines[:_COMPARED]]
        counts = Counter(
            name
            for line in lines
            for name, value in line.items()
            if not least or value not in (None, "")
        )
        return {name for name, count in counts.items() if count >= least * len(lines)}

    def describe(self, layout: Layout | None, step: int = 1) -> Kind:
        """The files as a kind, with the days of a layout, by each line or one of several."""
        lines = self.lines[::step]
        days = layout.day_of if layout else {}
        table = tabulate(line for _, line in lines)
        dates = pd.Series([days.get(name) for name, _ in lines], dtype=object, index=table.index)
        sample = Lines(table, dates, self.file_format.form)
        return Kind(self.file_format, sample, user_path=self.user_path)


def group_files(listing: Listing, source: Browsable) -> list[Log]:
    """Group the files by format and columns."""
    layout = guess_layout(listing.logs, listing.folders)
    kinds = group_by_kind(listing.logs).values()
    logs: list[Log] = []
    for paths in sorted(kinds, key=lambda it: -len(it))[:_MAX_KINDS]:
        with tempfile.TemporaryDirectory(prefix="ds_assets_") as folder:
            chosen = choose_files(paths, layout)
            files = {path: copy_file(path, listing, source, Path(folder)) for path in chosen}
            log = _read(paths, [*filter(None, files.values())])
        if log:
            _place(log, logs)
    if len(logs) == 1:
        logs[0].files = listing.logs
    return logs


def _read(paths: Sequence[str], files: Sequence[RawFile]) -> Log | None:
    """Read files of one kind in the format of the largest; None if they have no lines."""
    largest = max(files, key=lambda file: file.path.stat().st_size, default=None)
    file_format = largest and find_format(largest)
    if not file_format:
        return None
    lines = [(file.name, line) for file in files for line in read_lines(file, file_format)]
    return Log(file_format, [*paths], lines) if any(line for _, line in lines) else None


def _place(log: Log, logs: list[Log]) -> None:
    """Add files to those that are alike, or beside them."""
    for other in logs:
        if _is_like(log, other):
            other.files += log.files
            other.lines += log.lines
            return
    logs.append(log)


def _is_like(log: Log, other: Log) -> bool:
    """Whether files have the format of others, mostly their columns, and their types.

    Where the others have no type, the files may be all of one type: then their columns are.
    """
    columns, others = log.columns(), other.columns()
    common = len(columns & others) / min(len(columns), len(others))
    if log.file_format.name != other.file_format.name or common < _ALIKE:
        return False
    event_type = other.compared.value("event_type")
    if isinstance(event_type, dict) and "constant" in event_type:
        return log.columns(_USUAL) == other.columns(_USUAL)
    return bool(read_values(event_type, log.compared.lines).notna().mean() >= _USUAL)
