"""Rows for MySQL: the text of LOAD DATA, and a digest that the server can compute too.

The digest covers every column of every row: texts, integers and dates as text, and reals by their
bits, in the well-known binary form of a point, because the text of a real differs from server to
server.
"""

import sys
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ds_assets.core.checksum import text_of
from ds_assets.core.schema import Column
from ds_assets.infra.results.backends.base import Part

_NO_TEXT = "\0"
_NO_REAL = -sys.float_info.max
"""What stands for a missing value in a digest."""
_POINT_HEADER = np.frombuffer(b"\x01\x01\x00\x00\x00", np.uint8)
"""Header of a point in well-known binary: little endian, and the type."""


class RowsDigest:
    """Digest of rows in any order: the exclusive or of a number for each.

    The number of a row is the product of two checksums: sums of checksums alone would not notice
    when two rows exchange a value.

    Args:
        part: What is digested.

    Attributes:
        value: The digest of the rows added so far.
    """

    def __init__(self, part: Part) -> None:
        self._texts, self._reals = _split(part)
        self.value = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        texts = [batch[column.name].cast(pa.string()) for column in self._texts]
        lines = _join(texts, _NO_TEXT).cast(pa.binary()).to_pylist()
        products = _checksums(lines) * _checksums(_encode_points(batch, self._reals))
        self.value ^= int(np.bitwise_xor.reduce(products))


def row_digest_sql(part: Part) -> sa.ColumnElement[int]:
    """SQL of the number of a row, as the server computes it from what it stored."""
    texts, reals = _split(part)
    columns = part.table.c
    text = sa.func.concat_ws("\t", *(_text_sql(columns[column.name]) for column in texts))
    values: list[Any] = [sa.func.coalesce(columns[column.name], _NO_REAL) for column in reals]
    values = values or [0]
    points = [
        sa.func.ST_AsBinary(sa.func.point(x, y))
        for x, y in zip_longest(values[::2], values[1::2], fillvalue=0)
    ]
    return sa.func.crc32(text) * sa.func.crc32(
        points[0] if len(points) == 1 else sa.func.concat(*points)
    )


def encode_lines(part: Part, digest: RowsDigest) -> Iterator[memoryview]:
    """Encode rows as LOAD DATA reads them; the digest is taken while the server works."""
    for batch in part.batches():
        fields = [_escape(batch[column.name].cast(pa.string())) for column in part.sent_columns]
        yield text_of(pc.binary_join_element_wise(_join(fields, r"\N"), "", "\n"))
        digest.add(batch)


def _split(part: Part) -> tuple[list[Column], list[Column]]:
    """The columns that a digest takes as text, and the reals."""
    columns = part.sent_columns
    reals = [column for column in columns if column.type == "real"]
    return [column for column in columns if column.type != "real"], reals


def _text_sql(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if column.primary_key:
        # The columns' collations differ; an explicit one decides for all.
        return sa.collate(column, "utf8mb4_bin")
    return sa.func.coalesce(column, _NO_TEXT) if column.nullable else column


def _checksums(contents: list[bytes]) -> np.ndarray:
    return np.fromiter(map(zlib.crc32, contents), np.uint64, len(contents))


def _encode_points(batch: pa.RecordBatch, columns: list[Column]) -> list[bytes]:
    """The reals of each row, two to a point; a point of zeros where there are none."""
    reals = [
        np.asarray(batch[column.name].fill_null(_NO_REAL).to_numpy(zero_copy_only=False), "<f8")
        for column in columns
    ]
    while not reals or len(reals) % 2:
        reals.append(np.zeros(batch.num_rows))
    header = np.broadcast_to(_POINT_HEADER, (batch.num_rows, len(_POINT_HEADER)))
    values = [np.ascontiguousarray(real).view(np.uint8).reshape(-1, 8) for real in reals]
    pieces = [
        piece for x, y in zip(values[::2], values[1::2], strict=True) for piece in (header, x, y)
    ]
    matrix = np.ascontiguousarray(np.concatenate(pieces, axis=1))
    contents: list[bytes] = matrix.view(f"V{matrix.shape[1]}").ravel().tolist()
    return contents


def _join(fields: list[pa.Array], missing: str) -> pa.Array:
    options = {"null_handling": "replace", "null_replacement": missing}
    return pc.binary_join_element_wise(*fields, "\t", **options)


def _escape(field: pa.Array) -> pa.Array:
    content = bytes(text_of(field))
    for plain, escaped in ((b"\\", r"\\"), (b"\t", r"\t"), (b"\n", r"\n")):
        if plain in content:
            field = pc.replace_substring(field, plain.decode(), escaped)
    return field
