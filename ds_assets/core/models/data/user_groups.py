"""User groups: whom models of their own are made for, as `game.yaml` names it.

Belongs here: which group a user is in. Whether a group gets a model is `group_models.py`'s.
"""

import pandas as pd

from ds_assets.core.encoding import CLUSTER, USER_GROUP

NO_GROUPS, BY_CLUSTER = "none", "clusters"


def with_user_groups(features: pd.DataFrame, by: str) -> pd.DataFrame:
    """Features with the column `user_group`, such as `cluster=3` or `country=KR`.

    Args:
        features: Features frame with the column `cluster`.
        by: What groups are: `clusters`, `none`, or the name of a text attribute.

    Returns:
        The frame and the column, missing for a user without cluster or value of the attribute.
    """
    if by == NO_GROUPS:
        groups = pd.Series(pd.NA, index=features.index, dtype="string")
    else:
        start, column = group_start(by)
        values = features[column].astype("string")
        groups = (start + values).where(values.notna())
    return features.assign(**{USER_GROUP: groups})


def group_start(by: str) -> tuple[str, str]:
    """How the names of the groups begin, and the column whose value follows.

    Args:
        by: What groups are: `clusters`, or the name of a text attribute.
    """
    return (f"{CLUSTER}=", CLUSTER) if by == BY_CLUSTER else (f"{by}=", f"last_{by}")
