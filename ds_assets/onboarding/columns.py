"""The columns of log lines: every path at which a value stands, as the game file writes it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ds_assets.field_paths import quote_name
from ds_assets.onboarding.json_values import parse_json

MAX_COLUMNS = 10_000
"""Columns; of more, as where ids are names of fields, those that fewer lines have are left out."""
_MAX_DEPTH = 5
_TYPED_VALUE = {"string_value", "int_value", "float_value", "double_value"}
"""Fields of which one has the value, as in the exports of Firebase."""


def tabulate(lines: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Put the values of lines into columns.

    Returns:
        A row for each line and a column for each path, with None where a line has no value. Lists
        without keys have no columns.
    """
    rows = [dict(_walk(line)) for line in lines]
    counts = Counter(path for row in rows for path in row)
    frequent = {path for path, _ in counts.most_common(MAX_COLUMNS)}
    paths = [path for path in counts if path in frequent]
    values = {path: [row.get(path) for row in rows] for path in paths}
    return pd.DataFrame(values, dtype=object, index=range(len(rows)))


def _walk(line: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in _named(line):
        yield from _walk_value(quote_name(name), value, _MAX_DEPTH)


def _named(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the members with a name, as a path can name no others."""
    return ((name, member) for name, member in value.items() if name)


def _walk_value(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the paths below a value, with the values there."""
    if value is None or value == "" or depth == 0:
        return
    if isinstance(value, Mapping):
        if (inner := _typed_value(value)) is not None:
            yield path, inner
            return
        for name, member in _named(value):
            yield from _walk_value(f"{path}.{quote_name(name)}", member, depth - 1)
    elif isinstance(value, list | tuple):
        for key, member in _entries(value):
            yield from _walk_value(f"{path}[{quote_name(key)}]", member, depth - 1)
    elif isinstance(value, str) and (inner := _json_of(value)) is not None:
        yield from _walk_value(f"json({path})", inner, depth - 1)
    else:
        yield path, value


def _typed_value(value: Mapping[str, Any]) -> Any:
    """The value of those written with their types; None if it is no such value."""
    if not value or not value.keys() <= {*_TYPED_VALUE, "set_timestamp_micros"}:
        return None
    return next((value[it] for it in sorted(_TYPED_VALUE) if value.get(it) is not None), None)


def _entries(values: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of a list of them."""
    for entry in values:
        match entry:
            case {"key": str(key), "value": value} | {"name": str(key), "value": value} if key:
                yield key, value
            case (str(key), value) if key and isinstance(entry, tuple):  # of a map of Parquet
                yield key, value


def _json_of(text: str) -> Any:
    """The object or list that a text holds; None if it is any other text."""
    value = parse_json(text) if text.startswith(("{", "[")) else None
    return value if isinstance(value, dict | list) else None
