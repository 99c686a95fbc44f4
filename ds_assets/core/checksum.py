"""Checksums of rows, for comparing the results of two runs or the content of two databases.

Rows are added piece by piece, so that a day need not fit into memory. A checksum begins with the
version of the algorithm. Those of the first version are 64 hexadecimal digits without it, and of
rows in any order, which had to be sorted as a whole.
"""

import hashlib
from collections.abc import Iterable
from string import hexdigits

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.contracts import nan_to_null
from ds_assets.core.tables import PREDICTIONS

_VERSION = "2-"
_LENGTH = 64
"""Characters of a checksum: what the database keeps of one."""
_RECENT_COLUMNS = {column.name for column in PREDICTIONS.columns if column.is_recent}


class RowsChecksum:
    """The SHA-256 of rows in their order, of which any number is added at a time.

    It depends only on column names, types and values. The order of columns, where a piece of rows
    ends, and the machine do not affect it. NaN is treated as null, and -0.0 as 0.0, because not
    every database distinguishes them. A column of predictions that earlier releases lack counts
    only where it has a value, so that a delivered day keeps its checksum after an upgrade.

    Args:
        schema: Columns of text, integers, floating-point numbers or dates.

    Attributes:
        row_count: Rows added so far.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = {field.name: _ColumnDigest(field.type) for field in schema}
        self.row_count = 0

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Add rows after those added before."""
        for batch in pa.table(rows).to_batches():
            for name, column in self._columns.items():
                column.add(batch[name])
        self.row_count += rows.num_rows

    @property
    def value(self) -> str:
        """The checksum of the rows added so far."""
        digest = hashlib.sha256()
        for name, column in sorted(self._columns.items()):
            if column.has_values or name not in _RECENT_COLUMNS:
                digest.update(f"{name} {column.type} {self.row_count}\n".encode())
                digest.update(column.digest())
        return f"{_VERSION}{digest.hexdigest()}"[:_LENGTH]


def checksum_rows(
    schema: pa.Schema, pieces: Iterable[pa.Table] | Iterable[pa.RecordBatch]
) -> RowsChecksum:
    """Compute the checksum of rows that are read piece by piece."""
    checksum = RowsChecksum(schema)
    for rows in pieces:
        checksum.add(rows)
    return checksum


def checksum(table: pa.Table) -> str:
    """Compute the checksum of a table's rows in their order; see `RowsChecksum`."""
    return checksum_rows(table.schema, [table]).value


def is_of_first_version(value: str) -> bool:
    """Whether a stored checksum was computed by an earlier release, in another way."""
    return len(value) == _LENGTH and set(value) <= {*hexdigits}


class _ColumnDigest:
    """The SHA-256 of the values of a column, and that of where they are missing and end.

    Attributes:
        type: The type that values are converted to.
        has_values: Whether a value was not missing.
    """

    def __init__(self, stored: pa.DataType) -> None:
        self.type = _common_type(stored)
        self.has_values = False
        self._values, self._extents = hashlib.sha256(), hashlib.sha256()

    def add(self, column: pa.Array) -> None:
        column = nan_to_null(column.cast(self.type))
        self.has_values |= column.null_count < len(column)
        if pa.types.is_string(self.type):
            lengths = pc.fill_null(pc.binary_length(column), -1)
            self._extents.update(lengths.to_numpy().astype("<i4").data)
            self._values.update(text_of(column.fill_null("")))
        else:
            self._extents.update(column.is_valid().to_numpy(zero_copy_only=False).data)
            self._values.update(_numbers(column).data)

    def digest(self) -> bytes:
        return self._extents.digest() + self._values.digest()


def _common_type(stored: pa.DataType) -> pa.DataType:
    if pa.types.is_floating(stored):
        return pa.float64()
    if pa.types.is_date(stored):
        return pa.date32()
    return pa.int64() if pa.types.is_integer(stored) else pa.string()


def _numbers(column: pa.Array) -> np.ndarray:
    """The values of a column of numbers or dates; 0 where one is missing."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32()).cast(pa.int64())
    numbers: np.ndarray = column.fill_null(0).to_numpy()
    if numbers.dtype.kind == "f":
        return (numbers + 0.0).astype("<f8")  # -0.0 + 0.0 is 0.0
    return numbers.astype("<i8")


def text_of(column: pa.Array) -> memoryview:
    """Return the concatenated UTF-8 text of a column without nulls, without copying it."""
    _, offsets, content = column.buffers()
    if content is None:
        return memoryview(b"")
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return memoryview(content)[ends[0] : ends[-1]]
