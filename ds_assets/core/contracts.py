"""Bringing rows to the contract of their table.

Scope: columns, types, missing values and keys, checked before rows are stored.
"""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.schema import Table

if TYPE_CHECKING:
    import pandas as pd  # its import takes a second, and a table may never have been a frame


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
    columns = [nan_to_null(table[field.name].cast(field.type)) for field in schema]
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


def nan_to_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column whose NaNs are nulls."""
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), None, column)


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
