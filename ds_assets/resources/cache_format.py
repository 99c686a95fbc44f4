"""What a value in the cache looks like.

Belongs here: a row of `PREDICTIONS` as bytes, and back. Does not belong here: keys, and any server.

A value is the mark of the format, a checksum, the as-of day, numbers, and lengths of the texts;
then the texts. Its checksum begins with that of its key, so that a value is bound to its user.
"""

import datetime as dt
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.tables import PREDICTIONS, ColumnType

_MISSING_INTEGER = -(2**63)
_MISSING_TEXT = 2**16 - 1
_HEAD = struct.Struct(">2sI")


def _names(*types: ColumnType) -> list[str]:
    columns = (column for column in PREDICTIONS.columns if column.name not in PREDICTIONS.key)
    return [column.name for column in columns if column.type in types]


_INTEGERS, _REALS, _TEXTS = _names("integer"), _names("real"), _names("text")
_BODY = struct.Struct(f">I{len(_INTEGERS)}q{len(_REALS)}d{len(_TEXTS)}H")
_NUMBERS = np.dtype(
    [
        ("as_of", ">u4"),
        *((name, ">i8") for name in _INTEGERS),
        *((name, ">f8") for name in _REALS),
        *((name, ">u2") for name in _TEXTS),
    ]
)
"""As `_BODY`, for many at once."""
_DAYS_BEFORE_1970 = dt.date(1970, 1, 1).toordinal()
FORMAT = "\n".join(
    [_HEAD.format, _BODY.format, *(f"{one.name} {one.type}" for one in PREDICTIONS.columns)]
)
"""Values of another format are not read: it is part of every key."""
_MARK = hashlib.sha256(FORMAT.encode()).digest()[:2]


def encoded(checks: list[int], rows: pa.RecordBatch) -> list[bytes]:
    """Values of rows of `PREDICTIONS`.

    Args:
        checks: Checksum of each row's key, with which that of its value begins.
        rows: The rows.

    Raises:
        ValueError: a text is too long.
    """
    return [
        _HEAD.pack(_MARK, zlib.crc32(body, check)) + body
        for check, body in zip(checks, _bodies(rows), strict=True)
    ]


def _bodies(rows: pa.RecordBatch) -> list[bytes]:
    """The numbers of each row, then its texts."""
    numbers = np.empty(rows.num_rows, _NUMBERS)
    numbers["as_of"] = rows["as_of"].cast(pa.int32()).to_numpy() + _DAYS_BEFORE_1970
    for names, filler in ((_INTEGERS, _MISSING_INTEGER), (_REALS, math.nan)):
        for name in names:
            numbers[name] = rows[name].fill_null(filler).to_numpy(zero_copy_only=False)
    for name in _TEXTS:
        numbers[name] = _lengths(rows[name])
    packed = pa.Array.from_buffers(
        pa.binary(_NUMBERS.itemsize), len(numbers), [None, pa.py_buffer(numbers.tobytes())]
    )
    texts = (rows[name].cast(pa.binary()).fill_null(b"") for name in _TEXTS)
    joined = pc.binary_join_element_wise(packed.cast(pa.binary()), *texts, b"")
    bodies: list[bytes] = joined.to_pylist()
    return bodies


def _lengths(column: pa.Array) -> np.ndarray:
    lengths = pc.binary_length(column)
    longest = pc.max(lengths).as_py() or 0
    if longest >= _MISSING_TEXT:
        raise ValueError(f"a text has {longest} bytes; the cache takes {_MISSING_TEXT - 1}")
    filled: np.ndarray = lengths.fill_null(_MISSING_TEXT).to_numpy()
    return filled


def decoded(user_id: str, check: int, value: bytes | None) -> dict[str, Any] | None:
    """A row from its value; None where the value is missing, damaged, or not of this key.

    Args:
        user_id: The user.
        check: Checksum of the user's key.
        value: What the cache has for that key.
    """
    if value is None or len(value) < _HEAD.size + _BODY.size:
        return None
    mark, found = _HEAD.unpack_from(value)
    body = value[_HEAD.size :]
    if mark != _MARK or found != zlib.crc32(body, check):
        return None
    day, *fields = _BODY.unpack_from(body)
    integers = fields[: len(_INTEGERS)]
    reals = fields[len(_INTEGERS) : -len(_TEXTS)]
    record = {"user_id": user_id, "as_of": dt.date.fromordinal(day)}
    record |= zip(_INTEGERS, (None if x == _MISSING_INTEGER else x for x in integers), strict=True)
    record |= zip(_REALS, (None if math.isnan(x) else x for x in reals), strict=True)
    record |= zip(_TEXTS, _decoded_texts(body, fields[-len(_TEXTS) :]), strict=True)
    return record


def _decoded_texts(body: bytes, lengths: list[int]) -> Iterator[str | None]:
    start = _BODY.size
    for length in lengths:
        if length == _MISSING_TEXT:
            yield None
        else:
            yield body[start : start + length].decode()
            start += length
