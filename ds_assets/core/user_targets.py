"""The column `targets`: each user's rows of `TARGET_PREDICTIONS`, beside those of `PREDICTIONS`.

Tables are stored apart, because the columns of one must not change with the game file. An answer
shows both: here the rows of the long table become a list for each user.

Scope: joining the two. The JSON of the list is made in `prediction_json.py`.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.joined_lists import add_lists
from ds_assets.core.tables import TARGET_PREDICTIONS

TARGETS = "targets"
"""Name of the column, which is missing or empty where nothing is predicted."""
_KEYS = ("as_of", "user_id")
COLUMNS = tuple(column for column in TARGET_PREDICTIONS.columns if column.name not in _KEYS)
"""What the list says of each target."""
NAMES = tuple(column.name for column in COLUMNS)
FIELD = pa.field(
    TARGETS, pa.list_(pa.struct([TARGET_PREDICTIONS.arrow_schema.field(name) for name in NAMES]))
)
"""The column in Arrow tables."""


def join_targets(
    rows: Iterable[pa.RecordBatch], target_rows: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Add the column to a day's predictions while both tables are read.

    Args:
        rows: Rows of `PREDICTIONS` with `user_id` and any other columns, sorted by user.
        target_rows: Rows of `TARGET_PREDICTIONS` with `user_id` and any other columns, likewise.

    Raises:
        ValueError: a row of a target belongs to a user without a prediction.
    """
    unread = filter(len, target_rows)
    pending: list[pa.RecordBatch] = []
    for batch in filter(len, rows):
        last = batch["user_id"][-1].as_py()
        while not pending or pending[-1]["user_id"][-1].as_py() <= last:
            if (more := next(unread, None)) is None:
                break
            pending.append(more)
        if pending:
            read = pa.Table.from_batches(pending)
            due = pc.sum(pc.less_equal(read["user_id"], last)).as_py()
            yield _with_lists(batch, read.slice(0, due))
            pending = [*filter(len, read.slice(due).to_batches())]
        else:
            yield batch
    for left_over in (*pending, *unread):
        raise _unknown_user(left_over["user_id"][0].as_py())


def _with_lists(rows: pa.RecordBatch, target_rows: pa.Table) -> pa.RecordBatch:
    """Add the column to some users, whose rows of targets are given."""
    user_ids = target_rows["user_id"]
    positions = pc.index_in(user_ids, value_set=rows["user_id"])
    if positions.null_count:
        raise _unknown_user(user_ids.filter(pc.is_null(positions))[0].as_py())
    return add_lists(rows, positions, target_rows, FIELD)


def _unknown_user(user_id: str) -> ValueError:
    return ValueError(
        f"{TARGET_PREDICTIONS.name} has rows of the user {ascii(user_id)[:80]}, who is not among "
        "the predictions of the day"
    )
