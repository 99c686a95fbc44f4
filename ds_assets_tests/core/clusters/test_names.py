from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.clusters.names import ClusterName, name_clusters
from ds_assets.core.feature_columns import Family


def from_all(deviations: dict[str, float]) -> dict[Family, float]:
    return {family: deviations.get(family, 0.0) for family in get_args(Family)}


def named(**deviations: float) -> str:
    return name_clusters({1: from_all(deviations)}, {})[1].text


def test_a_name_is_what_sets_the_cluster_apart() -> None:
    assert named(activity=1.2, spend=2.0) == "frequent spenders"
    assert named(trend=-0.9) == "fading"
    assert named(tenure=-1.4, activity=-0.7) == "new, light"
    assert named(tenure=2.0, activity=1.0, spend=3.0) == "long-standing spenders"
    assert named(recency=-3.0, activity=-0.4) == "away"
    assert named() == "typical"


deviation = st.fixed_dictionaries({family: st.floats(-5, 5) for family in get_args(Family)})


@given(st.lists(deviation, min_size=1, max_size=12), st.lists(deviation, max_size=12))
def test_names_are_unique_on_every_day(
    today: list[dict[Family, float]], tomorrow: list[dict[Family, float]]
) -> None:
    first = name_clusters(dict(enumerate(today)), {})
    assert len({name.text for name in first.values()}) == len(today)
    second = name_clusters(dict(enumerate(tomorrow)), first)
    assert len({name.text for name in second.values()}) == len(tomorrow)


def renamed(name: str, traits: tuple[str, ...], **deviations: float) -> str:
    before = ClusterName(name, traits)
    return name_clusters({1: from_all(deviations)}, {1: before})[1].text


def test_a_name_is_kept_while_it_is_true_though_another_would_be_better() -> None:
    assert renamed("fading", ("fading",), trend=-0.3, spend=2.0) == "fading"
    assert renamed("typical", (), spend=0.7) == "typical"


def test_a_name_that_is_no_longer_true_is_given_up() -> None:
    assert renamed("fading", ("fading",), trend=-0.2, spend=2.0) == "spenders"
    assert renamed("fading", ("fading",), trend=0.9) == "rising"
    assert renamed("new, light", ("new", "light"), tenure=-1.0, activity=0.0) == "new"
    assert renamed("typical", (), spend=0.8) == "spenders"


def test_newcomers_are_not_called_rising_for_the_time_before_they_came() -> None:
    assert named(tenure=-2.8, activity=-0.7, trend=1.6) == "new, light"
    assert named(tenure=-0.3, trend=1.6) == "rising"
    assert named(tenure=-2.8, trend=-1.6) == "new, fading"
