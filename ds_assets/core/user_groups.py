"""User groups, for which separate models are tried, as `game.yaml` defines them.

Scope: the group of a user, and which groups are large enough to report on.
"""

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from ds_assets.core.attribute_texts import shorten
from ds_assets.core.encoding import CLUSTER, USER_GROUP
from ds_assets.core.group_defaults import MAX_USER_GROUPS

NO_GROUPS, BY_CLUSTER = "none", "clusters"


def with_user_groups(features: pd.DataFrame, by: str) -> pd.DataFrame:
    """Add the column `user_group` to features, such as `cluster=3` or `country=KR`.

    Args:
        features: Features frame with the column `cluster`.
        by: What defines groups: `clusters`, `none`, or the name of a text attribute.

    Returns:
        The frame with the column, missing for a user without a cluster or attribute value.
    """
    if by == NO_GROUPS:
        groups = pd.Series(pd.NA, index=features.index, dtype="string")
    else:
        start, column = group_start(by)
        values = features[column].astype("string")
        groups = start + values.map(shorten, na_action="ignore").astype("string")
    return features.assign(**{USER_GROUP: groups})


def shorten_group(group: str) -> str:
    """The name of a group that was made before there was a bound on texts."""
    name, equals, value = group.partition("=")
    return f"{name}{equals}{shorten(value)}"


def largest_groups(groups: Iterable[str]) -> list[str]:
    """The largest groups, at most `MAX_USER_GROUPS`: by size, then by name.

    Args:
        groups: The group of each user, an empty string for none.
    """
    sizes = Counter(group for group in groups if group)
    return sorted(sizes, key=lambda group: (-sizes[group], group))[:MAX_USER_GROUPS]


def group_start(by: str) -> tuple[str, str]:
    """Prefix of the group names, and the column whose value follows it.

    Args:
        by: What defines groups: `clusters`, or the name of a text attribute.
    """
    return (f"{CLUSTER}=", CLUSTER) if by == BY_CLUSTER else (f"{by}=", f"last_{by}")
