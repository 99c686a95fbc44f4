"""Checks of a day's clusters: they are those of the day before, and of useful sizes.

Scope: the rules and what they say. Clusters that fail one are used all the same.
"""

from ds_assets.core.clusters.choice import MAX_SHARE, min_users, unusable
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.finding import Finding

MAX_LOST_SHARE = 0.5
"""Part of its users that a cluster may lose in a day."""


def check_continuity(before: ClusterCard | None, card: ClusterCard) -> Finding:
    """Compare the clusters of a day with those of the day before.

    Args:
        before: Card of the day before; None where there is none.
        card: Card of the day.
    """
    if before is None or not before.clusters or not card.clusters:
        missing = f"no clusters to compare with those of {card.as_of}"
        return Finding("; ".join([missing, *card.reasons]))
    sizes = {cluster.id: cluster.size for cluster in card.clusters}
    lost = [
        f"{cluster.id} ({cluster.name}) from {cluster.size:,} to {sizes.get(cluster.id, 0):,} users"
        for cluster in before.clusters
        if sizes.get(cluster.id, 0) < (1 - MAX_LOST_SHARE) * cluster.size
    ]
    compared = f"{len(card.clusters)} clusters, {len(before.clusters)} on {before.as_of}"
    if not lost:
        return Finding(f"{compared}; none lost more than {MAX_LOST_SHARE:.0%} of its users")
    return Finding(
        f"{compared}; lost more than {MAX_LOST_SHARE:.0%}: {', '.join(lost)}",
        "see the flows of cluster_profiles for where they are now, and change what refers to "
        "these ids, such as offers",
    )


def check_sizes(card: ClusterCard) -> Finding:
    """Compare the sizes of clusters with the bounds within which they are useful."""
    if not card.clusters:
        return Finding("; ".join(["no clusters", *card.reasons]))
    sizes = [cluster.size for cluster in card.clusters]
    least, most = min_users(card.users), int(MAX_SHARE * card.users)
    compared = (
        f"{len(sizes)} clusters of {min(sizes):,} to {max(sizes):,} users, useful are {least:,} to "
        f"{most:,}"
    )
    outside = [card.clusters[place].name for place in unusable(sizes, card.users)]
    if not outside:
        return Finding(compared)
    return Finding(
        f"{compared}; outside: {', '.join(outside)}",
        "change the numbers of clusters that are tried (`clusters` in game.yaml)",
    )
