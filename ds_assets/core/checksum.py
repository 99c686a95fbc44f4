"""Checksums of tables, for comparing the results of two runs or the content of two databases."""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.contracts import nan_to_null
from ds_assets.core.tables import PREDICTIONS

_RECENT_COLUMNS = {column.name for column in PREDICTIONS.columns if column.is_recent}


def checksum(table: pa.Table) -> str:
    """Compute the SHA-256 of a table's rows, as 64 hexadecimal digits.

    It depends only on column names, types and values. The order of rows and columns, the batches
    and the machine do not affect it. NaN is treated as null, and -0.0 as 0.0, because not every
    database distinguishes them. A column of predictions that earlier releases lack counts only
    where it has a value, so that a delivered day keeps its checksum after an upgrade.

    Args:
        table: Columns of text, integers, floating-point numbers or dates.
    """
    names = sorted(name for name in table.column_names if not _is_unused(name, table[name]))
    columns = pa.table({name: _normalize(table[name]) for name in names})
    # Constant columns do not affect the order, and sorting by them would take time.
    varying = [name for name in names if _varies(columns[name])]
    order = pc.sort_indices(columns, sort_keys=[(name, "ascending") for name in varying or names])
    digest = hashlib.sha256()
    for name in names:  # one column at a time: a sorted copy of all would double the memory
        column = columns[name].take(order) if name in varying else columns[name]
        digest.update(f"{name} {column.type} {len(column)}\n".encode())
        digest.update(column.is_valid().to_numpy().astype("u1").tobytes())
        for chunk in _bytes_of(column):
            digest.update(chunk)
    return digest.hexdigest()


def _is_unused(name: str, column: pa.ChunkedArray) -> bool:
    return name in _RECENT_COLUMNS and nan_to_null(column).null_count == len(column)


def _normalize(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_floating(column.type):
        return pc.add(nan_to_null(column.cast(pa.float64())), 0.0)  # -0.0 + 0.0 is 0.0
    if pa.types.is_date(column.type):
        return column.cast(pa.date32())
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    return column.cast(pa.string())


def _varies(column: pa.ChunkedArray) -> bool:
    if not len(column) or column.null_count:
        return bool(column.null_count)
    return not pc.all(pc.equal(column, column[0])).as_py()


def _bytes_of(column: pa.ChunkedArray) -> Iterator[bytes | memoryview]:
    if pa.types.is_string(column.type):
        values = column.fill_null("")
        yield pc.binary_length(values).to_numpy().astype("<i8").tobytes()
        for chunk in values.chunks:
            yield text_of(chunk)
        return
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32()).cast(pa.int64())
    numbers: np.ndarray = column.fill_null(0).to_numpy()
    yield numbers.astype("<f8" if numbers.dtype.kind == "f" else "<i8").tobytes()


def text_of(column: pa.Array) -> memoryview:
    """Return the concatenated UTF-8 text of a column without nulls, without copying it."""
    _, offsets, content = column.buffers()
    if content is None:
        return memoryview(b"")
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return memoryview(content)[ends[0] : ends[-1]]
