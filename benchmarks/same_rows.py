"""Whether two engines stored the same rows: Parquet files, compared column by column.

Scope: finding the first difference, without holding more than a column of each file.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet


def find_difference(file: Path, expected: Path, tolerance: float) -> str:
    """Find how a file differs from another one, whose rows are in the same order.

    Args:
        file: The file.
        expected: The other one.
        tolerance: How far reals may be from each other, and relative to the other file's.

    Returns:
        The first difference in words; empty where there is none.
    """
    if missing := [it.parent for it in (file, expected) if not it.exists()]:
        return f"{missing[0]} has no {file.name}"
    with parquet.ParquetFile(file) as own, parquet.ParquetFile(expected) as other:
        if _columns(own.schema_arrow) != _columns(other.schema_arrow):
            return "other columns or types"
        rows, expected_rows = own.metadata.num_rows, other.metadata.num_rows
        if rows != expected_rows:
            return f"{rows:,} rows, not {expected_rows:,}"
        for name in own.schema_arrow.names:
            column, expected_column = (it.read(columns=[name]).column(0) for it in (own, other))
            if count := count_different(column, expected_column, tolerance):
                return f"{count:,} of {rows:,} values of {name} differ"
    return ""


def _columns(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in schema]


def count_different(column: pa.ChunkedArray, other: pa.ChunkedArray, tolerance: float) -> int:
    """Count the places at which two columns of a type differ; a missing value is like another."""
    absent = pc.xor(pc.is_null(column), pc.is_null(other))
    if pa.types.is_floating(column.type):
        left, right = column.to_numpy(), other.to_numpy()  # a missing value as NaN
        is_close = np.isclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True)
        differs = pa.chunked_array([~is_close])
    else:
        differs = pc.fill_null(pc.not_equal(column, other), fill_value=False)
    return int(pc.sum(pc.or_(absent, differs)).as_py() or 0)
