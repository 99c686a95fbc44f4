"""A prediction as the JSON object that answers hold, the same whatever an answer comes from.

Belongs here: rows of `PREDICTIONS` as JSON, and what can be told from it without reading it. Does
not belong here: the user id and all that an answer says about itself (`serving/prediction.py`), and
where rows lie.

JSON is made once, when a row is stored: who answers puts it behind what changes with the time.
"""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.tables import PREDICTIONS, Column

COLUMNS = tuple(column for column in PREDICTIONS.columns if column.name != "user_id")
"""Those that the JSON tells, in its order."""

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
    told = (
        f"{begins}{'null' if record[name] is None else tell(record[name])}"
        for name, begins, tell in _TELLERS
    )
    return f"{','.join(told)}}}".encode()


def has_probability(found: bytes) -> bool:
    """Whether members hold a probability; they begin with those of fixed form."""
    return _NONE not in found[:_BEGINNING]


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
        quoted = pa.array([_quoted(one) for one in words.dictionary.to_pylist()], pa.string())
        told = quoted.take(words.indices)
    elif contract.type == "real":
        told = pc.if_else(pc.is_finite(column), column, None).cast(pa.string())
    else:  # whole numbers are written as JSON writes them, and what is JSON already is as it is
        told = column.cast(pa.string())
    return told.fill_null("null")


def _quoted(text: str) -> str:
    return encode_basestring(text)


def _real(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "null"


_TELL: Mapping[str, Callable[[Any], str]] = {
    "date": '"{}"'.format,
    "text": _quoted,
    "real": _real,
    "integer": str,
    "json": str,
}
_TELLERS = [(one.name, f'"{one.name}":', _TELL[one.type]) for one in COLUMNS]
