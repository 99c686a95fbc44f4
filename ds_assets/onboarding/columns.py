"""The columns of log lines: every path at which a value stands, as the game file writes it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ds_assets.field_paths import quote_name

MAX_COLUMNS = 1_000
"""Columns; of lines with more, as where ids are names of fields, the rest is left out."""
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
    paths = list(dict.fromkeys(path for row in rows for path in row))[:MAX_COLUMNS]
    values = {path: [row.get(path) for row in rows] for path in paths}
    return pd.DataFrame(values, dtype=object, index=range(len(rows)))


def _walk(line: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in line.items():
        yield from _walk_value(quote_name(name), value, _MAX_DEPTH)


def _walk_value(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the paths below a value, with the values there."""
    if value is None or value == "" or depth == 0:
        return
    if isinstance(value, Mapping):
        if (inner := _typed_value(value)) is not None:
            yield path, inner
            return
        for name, member in value.items():
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
        if isinstance(entry, Mapping) and "value" in entry:
            key = entry.get("key", entry.get("name"))
            if isinstance(key, str) and key:
                yield key, entry["value"]
        elif isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str):  # noqa: PLR2004  (a key and its value)
            yield entry


def _json_of(text: str) -> Any:
    """The object or list that a text holds; None if it is any other text."""
    if not text.startswith(("{", "[")):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None
