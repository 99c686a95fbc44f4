"""Rows of a long table as a list for each user, in one more column of a table of users.

Scope: one batch of users. Which rows belong to a batch is in `user_targets` and `user_offers`.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def add_lists(
    users: pa.RecordBatch, positions: pa.Array, rows: pa.Table, column: pa.Field
) -> pa.RecordBatch:
    """Add a column with a list of structs for each user.

    Args:
        users: Rows of users.
        positions: The user of each row, as a position in `users`.
        rows: The rows, with all columns of the structs and perhaps others; those of a user stay in
            their order.
        column: Name and type of the column.
    """
    places = positions.to_numpy()
    counts = np.bincount(places, minlength=users.num_rows)
    offsets = pa.array(np.concatenate([[0], counts.cumsum()]), pa.int32())
    names = _names(column, rows)
    in_order = rows.select(names).take(np.argsort(places, kind="stable"))
    structs = in_order.to_struct_array().combine_chunks()
    return users.append_column(column.name, pa.ListArray.from_arrays(offsets, structs))


def _names(column: pa.Field, rows: pa.Table) -> Sequence[str]:
    """The columns of the structs that the rows have, in their order there."""
    structs = column.type.value_type
    members = {structs.field(index).name for index in range(structs.num_fields)}
    return [name for name in rows.column_names if name in members]
