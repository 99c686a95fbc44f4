"""Fallback predictions for users about whom nothing is known: averages of a day, by user group.

Scope: computing and encoding them. Which users get them is decided in `serving/`.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.prediction_json import NO_PREDICTION, encode_members
from ds_assets.core.tables import MODEL_VERSIONS, PREDICTED_NUMBERS, PREDICTIONS
from ds_assets.core.targets import EXPECTED_SPEND
from ds_assets.core.user_targets import FIELD, TARGETS
from ds_assets.core.user_targets import NAMES as TARGET_NAMES

ALL_USERS = ""
"""The group of all users."""
MAX_USER_GROUPS = 20
"""Groups of a day that get models, reports and defaults of their own, the largest: an attribute may
have thousands of values, and the defaults of all groups are read with each request."""
AVERAGED_COLUMNS = PREDICTED_NUMBERS
"""Columns whose average says something about an unknown user."""
TARGET_AVERAGED_COLUMNS = ("probability", EXPECTED_SPEND)
"""Columns of `TARGET_PREDICTIONS` whose average says something about an unknown user."""
SHARED_COLUMNS = ("as_of", *MODEL_VERSIONS)
"""Columns that have the same value in all rows of a day."""
_GROUP = "user_group"
_USERS = "users"
_COUNTS = tuple(f"{name} count" for name in AVERAGED_COLUMNS)
_TARGET_COUNTS = tuple(f"{name} count" for name in TARGET_AVERAGED_COLUMNS)
INPUT_COLUMNS = (_GROUP, *AVERAGED_COLUMNS, *SHARED_COLUMNS)
"""Columns that group defaults are computed from."""
TARGET_INPUT_COLUMNS = ("user_id", "target", *TARGET_AVERAGED_COLUMNS, "model")
"""Columns of `TARGET_PREDICTIONS` that they are computed from, see `join_targets`."""


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
    """Compute the averages of all users and of the largest user groups.

    Args:
        batches: The predictions of one day, read once: the columns `INPUT_COLUMNS`, and `targets`
            where the game has targets of its own.

    Returns:
        The columns of `PREDICTIONS`: a row without a group for all users, then one for each of the
        `MAX_USER_GROUPS` largest groups; every user id is empty. No rows if there are no
        predictions. With `targets` if the batches have them.
    """
    sums, target_sums = [], []
    for batch in batches:
        sums.append(_sum_by(_count_values(batch), [_GROUP]))
        if TARGETS in batch.schema.names:
            target_sums.append(_sum_targets(pa.table(batch)))
    averages = []
    if any(batch.num_rows for batch in sums):
        by_group = pa.concat_tables(sums)
        grouped = by_group.filter(pc.is_valid(by_group[_GROUP]))
        groups = _largest(_sum_by(grouped, [_GROUP]))
        averages = _averages(_sum_by(by_group, [])) + _averages(groups)
    if not target_sums:
        return pa.RecordBatch.from_pylist(averages, schema=PREDICTIONS.arrow_schema)
    return with_target_averages(averages, _average_targets(pa.concat_tables(target_sums)))


def with_target_averages(
    averages: Iterable[Mapping[str, Any]], of_targets: Iterable[Mapping[str, Any]]
) -> pa.RecordBatch:
    """Add the averages of a game's own targets to those of the built-in ones, by group.

    Args:
        averages: Values by columns of `PREDICTIONS`, for all users and for each group.
        of_targets: A row for each group and target: `user_group`, `target`, `model` and
            `TARGET_AVERAGED_COLUMNS`.
    """
    targets: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(of_targets, key=itemgetter("target")):
        targets[row.get(_GROUP)].append({name: row.get(name) for name in TARGET_NAMES})
    rows = [{**row, TARGETS: targets[row.get(_GROUP)]} for row in averages]
    return pa.RecordBatch.from_pylist(rows, schema=PREDICTIONS.arrow_schema.append(FIELD))


def encode_group_defaults(as_of: dt.date, rows: pa.RecordBatch) -> GroupDefaults:
    """Encode what `compute_group_defaults` returned for a day."""
    groups = [group or ALL_USERS for group in rows[_GROUP].to_pylist()]
    members = dict(zip(groups, encode_members(rows), strict=True))
    return GroupDefaults(as_of.toordinal(), _list_models(rows), members)


def _list_models(rows: pa.RecordBatch) -> dict[str, str]:
    """Version of each model of a day, by what it predicts, from the row of all users."""
    models = {}
    for all_users in rows.slice(0, 1).to_pylist():
        models = {name.removesuffix("_model"): all_users[name] for name in MODEL_VERSIONS}
        models |= {target["target"]: target["model"] for target in all_users.get(TARGETS) or ()}
    return {name: version for name, version in models.items() if version is not None}


def _count_values(batch: pa.RecordBatch | pa.Table) -> pa.Table:
    """Add how many finite numbers each averaged column holds; other values become null."""
    columns = {name: batch[name] for name in (_GROUP, *SHARED_COLUMNS)}
    for name, count in zip(AVERAGED_COLUMNS, _COUNTS, strict=True):
        is_number = pc.fill_null(pc.is_finite(batch[name]), False)
        columns[name] = pc.if_else(is_number, batch[name], None)
        columns[count] = pc.cast(is_number, pa.int64())
    columns[_USERS] = pa.repeat(1, batch.num_rows)
    return pa.table(columns)


def _largest(groups: pa.Table) -> pa.Table:
    by_size = groups.sort_by([(_USERS, "descending"), (_GROUP, "ascending")])
    return by_size.slice(0, MAX_USER_GROUPS)


def _sum_by(rows: pa.Table, keys: list[str]) -> pa.Table:
    """Sum values and counts by group."""
    summed_columns = (*AVERAGED_COLUMNS, *_COUNTS, _USERS)
    sums = [(name, "sum") for name in summed_columns]
    summed = rows.group_by(keys).aggregate(sums + [(name, "max") for name in SHARED_COLUMNS])
    return summed.rename_columns([*keys, *summed_columns, *SHARED_COLUMNS])


def _sum_targets(batch: pa.Table) -> pa.Table:
    """Sum the values of targets, and count them, by group and target."""
    lists = batch[TARGETS].combine_chunks()
    targets = pa.Table.from_batches([pa.RecordBatch.from_struct_array(lists.flatten())])
    columns = {
        _GROUP: batch[_GROUP].combine_chunks().take(pc.list_parent_indices(lists)),
        "target": targets["target"],
        "model": targets["model"],
    }
    for name, count in zip(TARGET_AVERAGED_COLUMNS, _TARGET_COUNTS, strict=True):
        is_number = pc.fill_null(pc.is_finite(targets[name]), False)
        columns[name] = pc.if_else(is_number, targets[name], None)
        columns[count] = pc.cast(is_number, pa.int64())
    return _sum_targets_by(pa.table(columns), [_GROUP, "target"])


def _sum_targets_by(rows: pa.Table, keys: list[str]) -> pa.Table:
    summed_columns = (*TARGET_AVERAGED_COLUMNS, *_TARGET_COUNTS)
    sums = [(name, "sum") for name in summed_columns]
    summed = rows.group_by(keys).aggregate([*sums, ("model", "max")])
    return summed.rename_columns([*keys, *summed_columns, "model"])


def _average_targets(sums: pa.Table) -> list[dict[str, Any]]:
    of_all = _sum_targets_by(sums, ["target"])
    grouped = sums.filter(pc.is_valid(sums[_GROUP]))
    rows: list[dict[str, Any]] = of_all.to_pylist()
    rows += _sum_targets_by(grouped, [_GROUP, "target"]).to_pylist()
    for row in rows:
        for name, count in zip(TARGET_AVERAGED_COLUMNS, _TARGET_COUNTS, strict=True):
            users = row.pop(count)
            row[name] = row[name] / users if users else None
    return rows


def _averages(sums: pa.Table) -> list[dict[str, Any]]:
    averages = []
    for row in sums.drop_columns([_USERS]).to_pylist():
        counts = [row.pop(count) for count in _COUNTS]
        means = {
            name: row[name] / count if count else None
            for name, count in zip(AVERAGED_COLUMNS, counts, strict=True)
        }
        averages.append({"user_id": "", **row, **means})
    return averages
