"""Users who move between clusters: counts of those who stayed, changed, joined or left.

Scope: counting between two days. The picture of the flows is drawn in `pictures`.
"""

import pandas as pd


def flows(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Count the users between the clusters of two days.

    Args:
        before: The columns `user_id` and `cluster` of the earlier day, one row per user.
        after: The same of the later day.

    Returns:
        Columns before, after and users: one row for each pair of clusters that has users, in the
        order of the ids. A missing `before` stands for users who joined, a missing `after` for
        users who left.
    """
    then, now = (day.set_index("user_id")["cluster"].astype("Int64") for day in (before, after))
    pairs = pd.DataFrame({"before": then, "after": now})
    counted = pairs.groupby(["before", "after"], dropna=False).size()
    return counted.rename("users").reset_index().sort_values(["before", "after"], ignore_index=True)


def share_changed(counted: pd.DataFrame) -> float | None:
    """Share of the users of both days whose cluster changed; None without users of both days.

    Args:
        counted: What `flows` returned.
    """
    both = counted.dropna()
    users = int(both["users"].sum())
    changed = int(both.loc[both["before"] != both["after"], "users"].sum())
    return changed / users if users else None
