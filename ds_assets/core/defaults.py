"""What to say of a user of whom nothing is known: the means of a day's users, by group.

Belongs here: making these rows. Does not belong here: who gets them (`serving/`).
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.tables import PREDICTIONS

MEANS = ("churn_probability", "payment_probability", "expected_spend")
"""Columns whose mean says something of a user one does not know."""
SAME_FOR_ALL = ("as_of", "churn_model", "payment_model", "cluster_model")
_GROUP = "user_group"
NEEDED = (_GROUP, *MEANS, *SAME_FOR_ALL)
"""Columns that defaults are made of."""


def defaults_of(rows: pa.Table) -> pa.RecordBatch:
    """A row for everybody, without a group, and one for each user group.

    Args:
        rows: The predictions of one day: the columns `NEEDED`.

    Returns:
        The columns of `PREDICTIONS`; every user id is empty. Without rows there is none.
    """
    known = _finite(rows)
    in_groups = known.filter(pc.is_valid(known[_GROUP]))
    found = _means(known, []) + _means(in_groups, [_GROUP]) if known.num_rows else []
    return pa.RecordBatch.from_pylist(found, schema=PREDICTIONS.arrow_schema)


def _finite(rows: pa.Table) -> pa.Table:
    """Rows in which what is no number is missing."""
    for name in MEANS:
        place, column = rows.column_names.index(name), rows[name]
        rows = rows.set_column(place, name, pc.if_else(pc.is_finite(column), column, None))
    return rows


def _means(rows: pa.Table, keys: list[str]) -> list[dict[str, Any]]:
    wanted = [(name, "mean") for name in MEANS] + [(name, "max") for name in SAME_FOR_ALL]
    found = rows.group_by(keys).aggregate(wanted)
    names = [*keys, *MEANS, *SAME_FOR_ALL]
    return [{"user_id": ""} | row for row in found.rename_columns(names).to_pylist()]
