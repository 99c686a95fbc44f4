"""Fallback predictions for users about whom nothing is known: averages of a day, by user group.

Scope: computing and encoding them. Which users get them is decided in `serving/`.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.prediction_json import NO_PREDICTION, encode_members
from ds_assets.core.tables import MODEL_VERSIONS, PREDICTED_NUMBERS, PREDICTIONS

ALL_USERS = ""
"""The group of all users."""
AVERAGED_COLUMNS = PREDICTED_NUMBERS
"""Columns whose average says something about an unknown user."""
SHARED_COLUMNS = ("as_of", *MODEL_VERSIONS)
"""Columns that have the same value in all rows of a day."""
_GROUP = "user_group"
_COUNTS = tuple(f"{name} count" for name in AVERAGED_COLUMNS)
INPUT_COLUMNS = (_GROUP, *AVERAGED_COLUMNS, *SHARED_COLUMNS)
"""Columns that group defaults are computed from."""


class GroupDefaults(msgspec.Struct, frozen=True):
    """The group defaults of one day, encoded.

    Attributes:
        as_of: The day, as `date.toordinal()`; 0 for none.
        models: Version of each model of the day, by what it predicts.
        members: JSON members by group, see `EncodedPrediction`.
    """

    as_of: int = 0
    models: dict[str, str] = {}
    members: dict[str, bytes] = {}

    def of_group(self, group: str) -> bytes:
        """JSON members of a group; those of all users if the group is not known."""
        return self.members.get(group) or self.members.get(ALL_USERS, NO_PREDICTION)


def compute_group_defaults(batches: Iterable[pa.RecordBatch | pa.Table]) -> pa.RecordBatch:
    """Compute the averages of all users and of each user group.

    Args:
        batches: The predictions of one day, read once: the columns `INPUT_COLUMNS`.

    Returns:
        The columns of `PREDICTIONS`: a row without a group for all users, then one per group;
        every user id is empty. No rows if there are no predictions.
    """
    sums = [_sum_by(_count_values(batch), [_GROUP]) for batch in batches]
    averages = []
    if any(batch.num_rows for batch in sums):
        by_group = pa.concat_tables(sums)
        grouped = by_group.filter(pc.is_valid(by_group[_GROUP]))
        averages = _averages(_sum_by(by_group, [])) + _averages(_sum_by(grouped, [_GROUP]))
    return pa.RecordBatch.from_pylist(averages, schema=PREDICTIONS.arrow_schema)


def encode_group_defaults(as_of: dt.date, rows: pa.RecordBatch) -> GroupDefaults:
    """Encode what `compute_group_defaults` returned for a day."""
    groups = [group or ALL_USERS for group in rows[_GROUP].to_pylist()]
    models = {}
    for shared in rows.slice(0, 1).select(MODEL_VERSIONS).to_pylist():
        models = {
            name.removesuffix("_model"): version
            for name, version in shared.items()
            if version is not None
        }
    members = dict(zip(groups, encode_members(rows), strict=True))
    return GroupDefaults(as_of.toordinal(), models, members)


def _count_values(batch: pa.RecordBatch | pa.Table) -> pa.Table:
    """Add how many finite numbers each averaged column holds; other values become null."""
    columns = {name: batch[name] for name in (_GROUP, *SHARED_COLUMNS)}
    for name, count in zip(AVERAGED_COLUMNS, _COUNTS, strict=True):
        is_number = pc.fill_null(pc.is_finite(batch[name]), False)
        columns[name] = pc.if_else(is_number, batch[name], None)
        columns[count] = pc.cast(is_number, pa.int64())
    return pa.table(columns)


def _sum_by(rows: pa.Table, keys: list[str]) -> pa.Table:
    """Sum values and counts by group."""
    sums = [(name, "sum") for name in (*AVERAGED_COLUMNS, *_COUNTS)]
    summed = rows.group_by(keys).aggregate(sums + [(name, "max") for name in SHARED_COLUMNS])
    return summed.rename_columns([*keys, *AVERAGED_COLUMNS, *_COUNTS, *SHARED_COLUMNS])


def _averages(sums: pa.Table) -> list[dict[str, Any]]:
    averages = []
    for row in sums.to_pylist():
        counts = [row.pop(count) for count in _COUNTS]
        means = {
            name: row[name] / count if count else None
            for name, count in zip(AVERAGED_COLUMNS, counts, strict=True)
        }
        averages.append({"user_id": "", **row, **means})
    return averages
