"""One form for a stored table, and a checksum of what it says.

Belongs here: bringing rows to their column contract, and the fingerprint by which two runs, or two
databases, can tell that they hold the same rows. Does not belong here: any store.
"""

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.tables import Table

if TYPE_CHECKING:
    import pandas as pd  # its import takes a second, and a table may never have been a frame


def checksum(table: pa.Table) -> str:
    """SHA-256 of a table's rows, as 64 hexadecimal digits.

    It depends on the names, types and values alone: not on the order of rows or columns, on how
    they are cut into batches, or on the machine. A real that is not a number counts as missing,
    and -0.0 as 0.0, because not every database keeps them apart.

    Args:
        table: Columns of text, integers, reals or dates.
    """
    names = sorted(table.column_names)
    columns = pa.table({name: _plain(table[name]) for name in names})
    # A column that says the same in every row has no order, and decides none.
    deciding = [name for name in names if _varies(columns[name])]
    order = pc.sort_indices(columns, sort_keys=[(name, "ascending") for name in deciding or names])
    digest = hashlib.sha256()
    for name in names:  # one column at a time: a sorted copy of all would double the memory
        column = columns[name].take(order) if name in deciding else columns[name]
        digest.update(f"{name} {column.type} {len(column)}\n".encode())
        digest.update(column.is_valid().to_numpy().astype("u1").tobytes())
        for piece in _bytes_of(column):
            digest.update(piece)
    return digest.hexdigest()


def conform(contract: Table, rows: "pa.Table | pd.DataFrame") -> pa.Table:
    """Rows as their contract declares them: columns, order, types, and missing values as nulls.

    Args:
        contract: What the table must look like.
        rows: The rows; what is not a number is a missing value.

    Raises:
        ValueError: a column is missing or unknown, a value does not fit its type or is missing
            where it may not be, or two rows have the same key.
    """
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
    _check_columns(contract, table.column_names)
    schema = contract.arrow_schema
    columns = [_nan_to_null(table[field.name].cast(field.type)) for field in schema]
    for field, column in zip(schema, columns, strict=True):
        if column.null_count and not field.nullable:
            raise ValueError(
                f"{contract.name}.{field.name} is missing in {column.null_count:,} rows, "
                "and must never be"
            )
    conformed = pa.Table.from_arrays(columns, schema=schema)
    _check_key(contract, conformed)
    return conformed


def rows_of_day(contract: Table, as_of: dt.date, rows: "pa.Table | pd.DataFrame") -> pa.Table:
    """One day's rows as their contract declares them.

    Args:
        contract: What the table must look like; it has a column `as_of`.
        as_of: The day that every row must carry.
        rows: The rows; what is not a number is a missing value.

    Raises:
        ValueError: the rows break the contract, or are of another day.
    """
    table = conform(contract, rows)
    days = pc.unique(table["as_of"]).to_pylist()
    if others := sorted(day for day in days if day != as_of):
        raise ValueError(
            f"{contract.name} of {as_of} hold rows of {others[0]}; accepted is one day"
        )
    return table


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_floating(column.type):
        return pc.add(_nan_to_null(column.cast(pa.float64())), 0.0)  # -0.0 + 0.0 is 0.0
    if pa.types.is_date(column.type):
        return column.cast(pa.date32())
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    return column.cast(pa.string())


def _nan_to_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), None, column)


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
    """All text of a column without missing values, one value after the other, in UTF-8."""
    _, offsets, content = column.buffers()
    if content is None:
        return memoryview(b"")
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return memoryview(content)[ends[0] : ends[-1]]


def _check_columns(contract: Table, found: list[str]) -> None:
    missing = [name for name in contract.names if name not in found]
    unknown = [name for name in found if name not in contract.names]
    if missing or unknown:
        raise ValueError(
            f"{contract.name} needs the columns {', '.join(contract.names)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )


def _check_key(contract: Table, table: pa.Table) -> None:
    if _ascends(contract.key, table):
        return
    keys = table.group_by(list(contract.key)).aggregate([]).num_rows
    if keys != table.num_rows:
        raise ValueError(
            f"{contract.name} has {table.num_rows:,} rows but {keys:,} different "
            f"{' and '.join(contract.key)}; accepted is one row for each"
        )


def _ascends(key: Sequence[str], table: pa.Table) -> bool:
    """Whether each row's key is above that of the row before: then no two are the same."""
    above: pa.ChunkedArray | bool = False
    for name in reversed(key):
        before, after = table[name][:-1], table[name][1:]
        above = pc.or_(pc.less(before, after), pc.and_(pc.equal(before, after), above))
    return pc.all(above).as_py() is not False
