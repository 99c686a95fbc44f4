"""Validating rows against the contract of their table before they are stored.

Scope: columns, types, missing values and keys.
"""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.schema import Table

if TYPE_CHECKING:
    import pandas as pd  # slow to import, and not needed for Arrow tables


def conform(contract: Table, rows: "pa.Table | pd.DataFrame") -> pa.Table:
    """Validate rows and convert them to the columns, order and types of their contract.

    Args:
        contract: The contract of the table.
        rows: The rows; NaN is a missing value.

    Returns:
        The rows, with nulls for missing values.

    Raises:
        ValueError: a column is missing or unknown, a value does not fit its type or is missing
            in a column that is not nullable, or two rows have the same key.
    """
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
    _check_columns(contract, table.column_names)
    schema = contract.arrow_schema
    columns = [nan_to_null(table[field.name].cast(field.type)) for field in schema]
    for field, column in zip(schema, columns, strict=True):
        if column.null_count and not field.nullable:
            raise ValueError(
                f"{contract.name}.{field.name} is missing in {column.null_count:,} rows, "
                "but it is required"
            )
    conformed = pa.Table.from_arrays(columns, schema=schema)
    _check_key(contract, conformed)
    return conformed


def rows_of_day(contract: Table, as_of: dt.date, rows: "pa.Table | pd.DataFrame") -> pa.Table:
    """Validate the rows of one day; see `conform`.

    Args:
        contract: The contract of the table, which has a column `as_of`.
        as_of: The day that every row must have.
        rows: The rows; NaN is a missing value.

    Raises:
        ValueError: the rows violate the contract, or some are of another day.
    """
    table = conform(contract, rows)
    days = pc.unique(table["as_of"]).to_pylist()
    if others := sorted(day for day in days if day != as_of):
        raise ValueError(
            f"{contract.name} of {as_of} hold rows of {others[0]}; accepted is one day"
        )
    return table


def nan_to_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Replace the NaNs of a column with nulls."""
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), None, column)


def ascends(key: Sequence[str], table: pa.Table) -> bool:
    """Return whether keys strictly ascend, which shows in linear time that they are distinct."""
    ascends: pa.ChunkedArray | bool = False
    for name in reversed(key):
        previous, current = table[name][:-1], table[name][1:]
        ascends = pc.or_(pc.less(previous, current), pc.and_(pc.equal(previous, current), ascends))
    return pc.all(ascends).as_py() is not False


def _check_columns(contract: Table, names: list[str]) -> None:
    missing = [name for name in contract.names if name not in names]
    unknown = [name for name in names if name not in contract.names]
    if missing or unknown:
        raise ValueError(
            f"{contract.name} needs the columns {', '.join(contract.names)}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )


def _check_key(contract: Table, table: pa.Table) -> None:
    if ascends(contract.key, table):
        return
    distinct = table.group_by(list(contract.key)).aggregate([]).num_rows
    if distinct != table.num_rows:
        raise ValueError(
            f"{contract.name} has {table.num_rows:,} rows but {distinct:,} different "
            f"{' and '.join(contract.key)}; accepted is one row for each"
        )
