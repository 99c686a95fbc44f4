"""What changes of the offers that users have, from one day to the next.

Scope: the difference between the offers of two days, which is all that leaves us: users who are
kept without an offer for comparison are in none of it.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.contracts import conform, rows_of_day
from ds_assets.core.tables import PROMOTION_CHANGES, PROMOTION_OFFERS

ENTERED, LEFT, CHANGED = "entered", "left", "changed"
_KEY = ["user_id", "promotion"]
_NAMED_IF_OTHER = ("offer", "until")
"""Columns of a changed offer that are named only where they are others than before."""
_VALUES = ("assignment_id", *_NAMED_IF_OTHER)
_BEFORE = "_before"


def offers_of_day(as_of: dt.date, in_effect: pa.Table) -> pa.Table:
    """Select what a client may know: assignments with an offer, without their arm.

    Args:
        as_of: The day.
        in_effect: The assignments in effect at its end, with the columns of `PLAYER_PROMOTIONS`.

    Returns:
        Rows of `PROMOTION_OFFERS` by key.
    """
    offers = in_effect.filter(pc.is_valid(in_effect["offer"]))
    rows = offers.select(PROMOTION_OFFERS.names)
    return rows_of_day(PROMOTION_OFFERS, as_of, rows.sort_by([(it, "ascending") for it in _KEY]))


def find_changes(as_of: dt.date, before: pa.Table, after: pa.Table) -> pa.Table:
    """Find the users whose offers begin, end or change.

    Args:
        as_of: The day at whose end `after` is in effect.
        before: Rows of `PROMOTION_OFFERS` of an earlier day.
        after: Those of the day.

    Returns:
        Rows of `PROMOTION_CHANGES` by key. Of a changed offer only what is another value than
        before is named; the id of the assignment always is.
    """
    joined = before.join(after, _KEY, join_type="full outer", left_suffix=_BEFORE).to_pandas()
    had_none, has_none = joined[f"offer{_BEFORE}"].isna(), joined["offer"].isna()
    kinds = np.select([had_none, has_none], [ENTERED, LEFT], CHANGED)
    is_same = pd.DataFrame({name: joined[name + _BEFORE] == joined[name] for name in _VALUES})
    for name in _NAMED_IF_OTHER:
        joined[name] = joined[name].astype(object).where(~is_same[name], None)
    joined["assignment_id"] = joined["assignment_id"].fillna(joined[f"assignment_id{_BEFORE}"])
    changes = joined.assign(as_of=as_of, change=kinds)[~is_same.all(axis="columns")]
    return conform(PROMOTION_CHANGES, changes[PROMOTION_CHANGES.names].sort_values(_KEY))


def find_changes_of_all(changes: pa.Table, offers: pa.Table) -> pa.Table:
    """Find what a receiver has to know that knows nothing: all offers, and those that end.

    A receiver that has moved to another address knows offers that the day ends.

    Args:
        changes: Rows of `PROMOTION_CHANGES` of a day.
        offers: Rows of `PROMOTION_OFFERS` of that day.

    Returns:
        Rows of `PROMOTION_CHANGES` by key.
    """
    ended = changes.filter(pc.equal(changes["change"], LEFT))
    begun = offers.append_column("change", pa.repeat(ENTERED, offers.num_rows))
    rows = pa.concat_tables([ended, begun.select(PROMOTION_CHANGES.names).cast(ended.schema)])
    return rows.sort_by([(it, "ascending") for it in _KEY])
