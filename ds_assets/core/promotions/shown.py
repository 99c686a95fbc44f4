"""Which assignments were really shown, of what clients report and logs say.

Scope: finding the assignment that is meant. Reports name its id; events of logs may name the offer,
which is then the one that was in effect for the user on that day.
"""

import datetime as dt
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from ds_assets.core.contracts import rows_of_day
from ds_assets.core.tables import PROMOTION_SHOWN

_KEY = ["user_id", "assignment_id"]


class ShownDay(NamedTuple):
    """What a day brought.

    Attributes:
        rows: Rows of `PROMOTION_SHOWN`.
        unknown: Reports and events that are of no assignment of their user, and are left out.
    """

    rows: pa.Table
    unknown: int


def find_shown(as_of: dt.date, shown: pd.DataFrame, assignments: pd.DataFrame) -> ShownDay:
    """Find the assignments that were shown.

    Args:
        as_of: The day on which it became known.
        shown: `user_id`, `shown_on`, and `shown`: the id of an assignment, or the name of an offer.
        assignments: `user_id`, `promotion`, `offer`, `assignment_id`, `as_of`, `until` of those
            that can have been in effect. Only those with an offer can be shown.
    """
    offered = assignments[assignments["offer"].notna()].rename(columns={"as_of": "assigned_on"})
    if shown.empty or offered.empty:
        return ShownDay(PROMOTION_SHOWN.arrow_schema.empty_table(), len(shown))
    numbered = shown.reset_index(drop=True).reset_index(names="number")
    pairs = numbered.merge(offered, on="user_id")
    is_over = (pairs["shown_on"] <= pairs["assigned_on"]) | (pairs["shown_on"] > pairs["until"])
    by_name = (pairs["shown"] == pairs["offer"]) & ~is_over
    meant = pairs[(pairs["shown"] == pairs["assignment_id"]) | by_name]
    first = meant.sort_values("shown_on").drop_duplicates(_KEY).assign(as_of=as_of)
    rows = first[PROMOTION_SHOWN.names].sort_values(_KEY)
    unknown = len(numbered) - meant["number"].nunique()
    return ShownDay(rows_of_day(PROMOTION_SHOWN, as_of, rows), int(unknown))
