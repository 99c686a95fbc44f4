"""A prediction as the JSON object that answers hold, the same whatever an answer comes from.

Belongs here: rows of `PREDICTIONS` as JSON, and what can be told from it without reading it. Does
not belong here: the user id and all that an answer says about itself (`serving/prediction.py`), and
where rows lie.

JSON is made once, when a row is stored: who answers puts it behind what changes with the time.
"""

import datetime as dt
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.schema import Column
from ds_assets.core.tables import PREDICTIONS

COLUMNS = tuple(column for column in PREDICTIONS.columns if column.name != "user_id")
"""Those that the JSON tells, in its order."""

_NAMES = tuple(column.name for column in COLUMNS)
_WRITTEN = tuple(column.name for column in COLUMNS if column.type == "json")
"""Columns that hold JSON already."""
_encode = msgspec.json.Encoder().encode

_NONE = b'"churn_probability":null,"payment_probability":null'
_BEGINNING = len(b'"as_of":"2026-01-01","last_seen":"2026-01-01",') + len(_NONE)
NOTHING = b",".join(b'"%b":null' % column.name.encode() for column in COLUMNS) + b"}"
"""Members of one of whom nothing is known, not even a mean."""


def members(rows: pa.RecordBatch) -> list[bytes]:
    """Members of a JSON object and its closing brace, without the opening one, for each row.

    Args:
        rows: The columns of `PREDICTIONS`.
    """
    parts: list[Any] = []
    for column in COLUMNS:
        before = "" if not parts else ","
        parts += [f'{before}"{column.name}":', _values(rows[column.name], column)]
    joined = pc.binary_join_element_wise(*parts, "}", "")
    found: list[bytes] = joined.cast(pa.binary()).to_pylist()
    return found


def members_of(record: Mapping[str, Any]) -> bytes:
    """As `members`, of one row as plain values: a table of few rows takes a hundred times as long.

    Args:
        record: Values by the names of `PREDICTIONS`' columns.
    """
    told = {name: record[name] for name in _NAMES}
    for name in _WRITTEN:
        if told[name] is not None:
            told[name] = msgspec.Raw(told[name])
    return _encode(told)[1:]


def has_probability(found: bytes) -> bool:
    """Whether members hold a probability; they begin with those of fixed form."""
    return found.find(_NONE, 0, _BEGINNING) < 0


def last_seen(found: bytes) -> dt.date | None:
    """The day on which the user was last active, as members tell it."""
    day = found[:_BEGINNING].partition(b'"last_seen":"')[2][:10]
    return dt.date.fromisoformat(day.decode()) if day else None


def _values(column: pa.Array, contract: Column) -> pa.Array:
    """Each value as JSON."""
    if contract.type == "date":
        told = pc.binary_join_element_wise('"', column.cast(pa.string()), '"', "")
    elif contract.type == "text":
        words = column.dictionary_encode()  # the same few over and over
        quoted = pa.array(map(encode_basestring, words.dictionary.to_pylist()), pa.string())
        told = quoted.take(words.indices)
    elif contract.type == "real":
        told = pc.if_else(pc.is_finite(column), column, None).cast(pa.string())
    else:  # whole numbers are written as JSON writes them, and what is JSON already is as it is
        told = column.cast(pa.string())
    return told.fill_null("null")
