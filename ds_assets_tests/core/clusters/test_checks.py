import datetime as dt
from collections.abc import Mapping

import pytest

from ds_assets.core.clusters.checks import check_continuity, check_sizes
from ds_assets.core.clusters.clustering import Cluster, ClusterCard
from ds_assets.core.encoding import Encoding
from ds_assets.game import ClusterRange

DAY = dt.date(2024, 5, 2)


def card_of(sizes: Mapping[int, int], day: dt.date = DAY) -> ClusterCard:
    """A card of clusters of these sizes, by id."""
    return ClusterCard(
        state="ready" if sizes else "not_enough_data",
        reasons=() if sizes else ("3 users, 30 are needed",),
        version="v",
        as_of=day,
        encoding=Encoding(features=()),
        seed=0,
        libraries={},
        data_fingerprint="f",
        onnx_sha256=None,
        k_range=ClusterRange(),
        previous=None,
        users=sum(sizes.values()),
        scaling=None,
        clusters=tuple(
            Cluster(id=key, name=f"name {key}", traits=(), size=size, centroid=())
            for key, size in sizes.items()
        ),
        silhouettes={},
        next_id=9,
    )


def before(sizes: Mapping[int, int]) -> ClusterCard:
    return card_of(sizes, DAY - dt.timedelta(days=1))


def test_clusters_that_keep_half_their_users_pass() -> None:
    finding = check_continuity(before({1: 100, 2: 200}), card_of({1: 50, 2: 250, 3: 90}))
    assert str(finding) == ("3 clusters, 2 on 2024-05-01; none lost more than 50% of its users")
    assert finding.is_good


def test_a_cluster_that_is_lost_or_much_smaller_is_named_with_what_to_do() -> None:
    finding = check_continuity(before({1: 100, 2: 2_000, 3: 7}), card_of({1: 49, 2: 1_990}))
    assert not finding.is_good
    assert "1 (name 1) from 100 to 49 users, 3 (name 3) from 7 to 0 users" in finding.compared
    assert "see the flows of cluster_profiles" in finding.advice


@pytest.mark.parametrize("earlier", [None, before({})])
def test_without_clusters_the_day_before_nothing_is_compared(earlier: ClusterCard | None) -> None:
    finding = check_continuity(earlier, card_of({1: 100}))
    assert finding.is_good
    assert finding.compared == "no clusters to compare with those of 2024-05-02"


def test_a_day_without_clusters_says_why() -> None:
    assert str(check_sizes(card_of({}))) == "no clusters; 3 users, 30 are needed"
    assert check_continuity(before({1: 5}), card_of({})).compared.endswith("30 are needed")


@pytest.mark.parametrize(
    ("sizes", "outside"),
    [
        ({1: 500, 2: 500}, ""),
        ({1: 991, 2: 9}, "name 1, name 2"),
        ({1: 95, 2: 8_905, 3: 1_000}, "name 1"),
    ],
)
def test_sizes_are_compared_with_useful_ones(sizes: Mapping[int, int], outside: str) -> None:
    finding = check_sizes(card_of(sizes))
    assert finding.is_good is (not outside)
    assert finding.compared.partition("; outside: ")[2] == outside
