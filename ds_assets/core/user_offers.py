"""The column `promotions`: the offers that are in effect for each user, beside `PREDICTIONS`.

A user may have several at a time, of promotions that exclude each other by no group. So they are a
list, even of one, in the order of priority: a client that has room for one shows the first. A user
without an offer has no list, whether a promotion keeps the user without it or none concerns the
user: a client must not learn the arm.

Scope: which assignments are offers, their order, and joining them to predictions. The JSON of the
list is made in `prediction_json.py`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.joined_lists import add_lists
from ds_assets.core.tables import PLAYER_PROMOTIONS

PROMOTIONS = "promotions"
"""Name of the column, which is missing or empty where a user has no offer."""
NAMES = ("offer", "assignment_id", "until")
COLUMNS = tuple(column for column in PLAYER_PROMOTIONS.columns if column.name in NAMES)
"""What the list says of each offer."""
FIELD = pa.field(
    PROMOTIONS, pa.list_(pa.struct([PLAYER_PROMOTIONS.arrow_schema.field(name) for name in NAMES]))
)
"""The column in Arrow tables."""


def select_offers(in_effect: pa.Table, promotions: Sequence[str]) -> pa.Table:
    """Select what a client may know of the assignments that are in effect.

    Args:
        in_effect: Rows of `PLAYER_PROMOTIONS`.
        promotions: Names of promotions in the order of priority.

    Returns:
        `user_id` and the columns of the list, of each offer; by user, and then by priority.
    """
    names = pa.array(promotions, pa.string())
    offers = in_effect.filter(pc.is_valid(in_effect["offer"]))
    ranks = pc.index_in(offers["promotion"], value_set=names)
    ranked = offers.select(["user_id", *NAMES]).append_column("rank", ranks)
    order = [("user_id", "ascending"), ("rank", "ascending"), ("assignment_id", "ascending")]
    return ranked.sort_by(order).drop_columns(["rank"]).combine_chunks()


def join_offers(rows: Iterable[pa.RecordBatch], offers: pa.Table) -> Iterator[pa.RecordBatch]:
    """Add the column to a day's predictions while they are read.

    Args:
        rows: Rows of `PREDICTIONS` with `user_id` and any other columns, sorted by user.
        offers: As `select_offers` returns them. Those of users without a prediction are left out.
    """
    users, start = offers["user_id"], 0
    for batch in filter(len, rows):
        last = batch["user_id"][-1].as_py()
        end = bisect_right(range(len(users)), last, lo=start, key=lambda at: users[at].as_py())
        due, start = offers.slice(start, end - start), end
        positions = pc.index_in(due["user_id"], value_set=batch["user_id"])
        is_predicted = pc.is_valid(positions)
        yield add_lists(batch, positions.filter(is_predicted), due.filter(is_predicted), FIELD)
