"""Rows for PostgreSQL: the binary format of COPY, and a digest that the server can compute too.

In the binary format, a value is its length in four bytes and its bytes, and a missing one is the
length -1. The digest is a SHA-256 of the rows in the form of the server's function `record_send`,
which frames the same values with the id of their type.

Formats: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ds_assets.core.checksum import text_of
from ds_assets.core.schema import Column, ColumnType
from ds_assets.infra.results.backends.base import Part

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = struct.pack(">h", -1)
_MISSING = struct.pack(">i", -1)
_FIRST_DAY = np.datetime64("2000-01-01", "D")
_KEY_TYPE_ID = 1043
_TYPE_IDS: Mapping[ColumnType, int] = {
    "text": 25,
    "json": 25,
    "integer": 20,
    "real": 701,
    "date": 1082,
}
"""The server's ids of the types that columns have; those of keys are VARCHAR."""


class RowsDigest:
    """Digest of a part's rows in their order.

    Args:
        part: What is digested.
    """

    def __init__(self, part: Part) -> None:
        self._type_ids = [struct.pack(">I", _type_id(column, part)) for column in part.sent_columns]
        self._header = struct.pack(">i", len(self._type_ids))
        self._hash = hashlib.sha256()

    @property
    def value(self) -> bytes:
        """The digest of the rows added so far."""
        return self._hash.digest()

    def add(self, values: list[list[pa.Array]]) -> None:
        """Add rows, as their encoded columns."""
        framed: list[pa.Array | pa.Scalar] = [_scalar(self._header)]
        for type_id, pieces in zip(self._type_ids, values, strict=True):
            framed += [_scalar(type_id), *pieces]
        self._hash.update(_join(framed))


def rows_digest_sql(part: Part) -> sa.Select[Any]:
    """Query of the number of a part's stored rows and of their digest."""
    columns = (part.table.c[column.name] for column in part.sent_columns)
    image = sa.func.record_send(sa.func.row(*columns)).label("image")
    rows = sa.select(image).where(part.is_stored).order_by(*part.order).subquery()
    whole = sa.func.string_agg(rows.c.image, sa.literal(b"", sa.LargeBinary))
    return sa.select(sa.func.count(), sa.func.sha256(whole)).select_from(rows)


def encode_copy(part: Part, digest: RowsDigest) -> Iterator[memoryview]:
    """Encode rows for COPY of `as_of`, `load_id` and the sent columns.

    The digest is taken while the server works.
    """
    days = (np.datetime64(part.load.as_of, "D") - _FIRST_DAY).astype(int)
    constants = struct.pack(">iiiq", 4, days, 8, part.load.load_id)
    header = _scalar(struct.pack(">h", 2 + len(part.sent_columns)) + constants)
    yield memoryview(_SIGNATURE)
    for batch in part.batches():
        values = [_encode(batch[column.name]) for column in part.sent_columns]
        yield _join([header, *(piece for pieces in values for piece in pieces)])
        digest.add(values)
    yield memoryview(_TRAILER)


def _type_id(column: Column, part: Part) -> int:
    is_text_key = column.type == "text" and column.name in part.contract.key
    return _KEY_TYPE_ID if is_text_key else _TYPE_IDS[column.type]


def _encode(column: pa.Array) -> list[pa.Array]:
    """The values with their lengths, as arrays to be joined."""
    if pa.types.is_string(column.type):
        lengths = pc.fill_null(pc.binary_length(column), -1)
        return [
            _bytes_of(np.asarray(lengths).astype(">i4")),
            column.fill_null("").cast(pa.binary()),
        ]
    framed = _bytes_of(_frame(_big_endian(column)))
    return [
        pc.if_else(column.is_valid(), framed, _scalar(_MISSING)) if column.null_count else framed
    ]


def _big_endian(column: pa.Array) -> np.ndarray[Any, Any]:
    """The bits of numbers and dates; those of missing ones are 0."""
    if pa.types.is_date(column.type):
        days = np.asarray(column.cast(pa.int32()).fill_null(0))
        return (days - _FIRST_DAY.astype(np.int32)).astype(">i4")
    values = np.asarray(column.fill_null(0))
    return values.astype(values.dtype.newbyteorder(">"))


def _frame(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    framed = np.empty(len(values), [("length", ">i4"), ("value", values.dtype)])
    framed["length"] = values.dtype.itemsize
    framed["value"] = values
    return framed


def _bytes_of(values: np.ndarray[Any, Any]) -> pa.Array:
    kind = pa.binary(values.dtype.itemsize)
    fixed = pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])
    return fixed.cast(pa.binary())


def _scalar(content: bytes) -> pa.Scalar:
    return pa.scalar(content, pa.binary())


def _join(pieces: list[pa.Array | pa.Scalar]) -> memoryview:
    return text_of(pc.binary_join_element_wise(*pieces, _scalar(b"")))
