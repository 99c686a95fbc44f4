"""The columns of log lines, whether or not the game file names them, and the kinds of their values.

Scope: lines of a bounded sample. In JSON and Parquet a column is the path of a field.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ds_assets.core.csv_records import read_records
from ds_assets.core.decompression import DamagedFileError
from ds_assets.core.log_counts import Values
from ds_assets.game import Csv
from ds_assets.infra.engines.raw_files import RawText

MAX_SAMPLE = 20_000
"""Lines of a day whose columns are looked at."""
MAX_COLUMNS = 500
"""Columns; of lines with more, as where ids are names of fields, only the outermost are counted."""
_MAX_DEPTH = 4

_Line = Mapping[str, Any]
_Kinds = Mapping[str, Counter[str]]


def json_columns(contents: Iterable[str]) -> tuple[int, dict[str, Values]]:
    """Count the columns of JSON lines; what is not an object is left out.

    Returns:
        The number of lines, and the values of each column.
    """
    lines = [line for line in map(_parse, contents) if isinstance(line, dict)]
    kinds = _count(lines, _MAX_DEPTH)
    return len(lines), _values(kinds if len(kinds) <= MAX_COLUMNS else _count(lines, 1))


def csv_columns(files: Collection[RawText], form: Csv) -> tuple[int, dict[str, Values]]:
    """Count the columns of the first records of CSV files.

    Returns:
        The number of records, and the values of each column.
    """
    per_file = max(100, MAX_SAMPLE // max(1, len(files)))
    records = (record for file in files for record in _first_records(file, form, per_file))
    lines = list(islice(records, MAX_SAMPLE))
    return len(lines), _values(_count(lines, 1))


def add_columns(
    parts: Iterable[tuple[int, Mapping[str, Values]]],
) -> tuple[int, dict[str, Values]]:
    """Add the numbers of lines, and the values of each column, of files of several kinds."""
    lines, kinds = 0, defaultdict[str, Counter[str]](Counter)
    for count, columns in parts:
        lines += count
        for path, values in columns.items():
            kinds[path].update(values.kinds)
    return lines, _values(kinds)


def _parse(content: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _first_records(file: RawText, form: Csv, limit: int) -> Iterator[_Line]:
    header = form.header
    try:
        for _, _, values in islice(read_records(file.content(), form), limit):
            if not values:
                continue
            if header is None:
                header = tuple(values)
            elif tuple(values) != header and len(values) == len(header):
                yield {name: _typed(text) for name, text in zip(header, values, strict=True)}
    except DamagedFileError:
        return


def _typed(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _count(lines: Iterable[_Line], depth: int) -> _Kinds:
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        for path, kind in _kinds_of(line, "", depth):
            kinds[path][kind] += 1
    return kinds


def _kinds_of(line: _Line, parent: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in line.items():
        path = f"{parent}{name}"
        if value is None or value == "":
            continue
        if isinstance(value, dict) and depth > 1:
            yield from _kinds_of(value, f"{path}.", depth - 1)
        else:
            yield path, _kind(value)


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "text"
        case _:
            return "list" if isinstance(value, list) else "object"


def _values(kinds: _Kinds) -> dict[str, Values]:
    return {
        path: Values(lines=count.total(), kinds=dict(sorted(count.items())))
        for path, count in sorted(kinds.items())[:MAX_COLUMNS]
    }
