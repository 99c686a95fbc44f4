"""What to say of a user of whom nothing is known: the means of a day's users, by group.

Belongs here: making these rows. Does not belong here: who gets them (`serving/`).
"""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.tables import PREDICTIONS

MEANS = ("churn_probability", "payment_probability", "expected_spend")
"""Columns whose mean says something of a user one does not know."""
SAME_FOR_ALL = ("as_of", "churn_model", "payment_model", "cluster_model")
_GROUP = "user_group"
_COUNTS = tuple(f"{name} count" for name in MEANS)
NEEDED = (_GROUP, *MEANS, *SAME_FOR_ALL)
"""Columns that defaults are made of."""


def defaults_of(batches: Iterable[pa.RecordBatch | pa.Table]) -> pa.RecordBatch:
    """A row for everybody, without a group, and one for each user group.

    Args:
        batches: The predictions of one day, read once: the columns `NEEDED`.

    Returns:
        The columns of `PREDICTIONS`; every user id is empty. Without rows there is none.
    """
    sums = [_summed(_counted(batch), [_GROUP]) for batch in batches]
    found = []
    if any(batch.num_rows for batch in sums):
        by_group = pa.concat_tables(sums)
        in_groups = by_group.filter(pc.is_valid(by_group[_GROUP]))
        found = _means(_summed(by_group, [])) + _means(_summed(in_groups, [_GROUP]))
    return pa.RecordBatch.from_pylist(found, schema=PREDICTIONS.arrow_schema)


def _counted(batch: pa.RecordBatch | pa.Table) -> pa.Table:
    """Rows with how many numbers each column of `MEANS` holds there; what is none is missing."""
    columns = {name: batch[name] for name in (_GROUP, *SAME_FOR_ALL)}
    for name, counted in zip(MEANS, _COUNTS, strict=True):
        is_number = pc.fill_null(pc.is_finite(batch[name]), False)
        columns[name] = pc.if_else(is_number, batch[name], None)
        columns[counted] = pc.cast(is_number, pa.int64())
    return pa.table(columns)


def _summed(rows: pa.Table, keys: list[str]) -> pa.Table:
    """Sums of rows that are counted, by group."""
    sums = [(name, "sum") for name in (*MEANS, *_COUNTS)]
    found = rows.group_by(keys).aggregate(sums + [(name, "max") for name in SAME_FOR_ALL])
    return found.rename_columns([*keys, *MEANS, *_COUNTS, *SAME_FOR_ALL])


def _means(sums: pa.Table) -> list[dict[str, Any]]:
    found = []
    for row in sums.to_pylist():
        counts = [row.pop(counted) for counted in _COUNTS]
        means = {
            name: row[name] / count if count else None
            for name, count in zip(MEANS, counts, strict=True)
        }
        found.append({"user_id": "", **row, **means})
    return found
