from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.clusters import choice as cluster_choice
from ds_assets.core.clusters.assignment import Array, distances_between
from ds_assets.core.clusters.choice import Choice, choose, criterion, min_users, unusable
from ds_assets.core.clusters.clustering import fit_clusters
from ds_assets.core.feature_catalog import declare_features
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import FEATURES, FIRST_DAY, make_features, make_game


def blobs(places: Sequence[tuple[float, float]], sizes: Sequence[int]) -> Array:
    chance = np.random.default_rng(7)
    centres = np.repeat(np.array(places), sizes, axis=0)
    return centres + chance.normal(0, 0.3, centres.shape)


def chosen(scaled: Array, least: int, most: int, past: Array | None = None) -> Choice:
    users = pd.Series([f"u{number}" for number in range(len(scaled))])
    past = np.empty((0, scaled.shape[1])) if past is None else past
    return choose(scaled, users, ClusterRange(min=least, max=most), past, 0)


def sizes(scaled: Array, choice: Choice) -> list[int]:
    nearest = distances_between(scaled, choice.centroids).argmin(axis=1)
    return sorted(np.bincount(nearest, minlength=len(choice.centroids)).tolist())


TRIANGLE = ((0.0, 0.0), (6.0, 0.0), (3.0, 6.0))


def test_a_cluster_must_have_ten_users_and_a_hundredth_of_all() -> None:
    assert [min_users(users) for users in (0, 50, 1_000, 1_001, 20_000)] == [10, 10, 10, 11, 200]
    assert unusable([9, 10, 500, 481], 1_000) == [0]
    assert unusable([900, 100], 1_000) == []
    assert unusable([901, 99], 1_000) == [0]


def test_a_number_with_a_tiny_cluster_is_not_chosen_though_its_silhouette_is_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scaled = blobs(TRIANGLE, (500, 500, 8))
    guarded = chosen(scaled, 2, 4)
    assert guarded.silhouettes[3] > guarded.silhouettes[2]
    assert len(guarded.centroids) == 2
    monkeypatch.setattr(cluster_choice, "unusable", lambda *_: [])
    assert sizes(scaled, chosen(scaled, 2, 4)) == [8, 500, 500]


def test_a_number_with_a_giant_is_not_chosen_where_another_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # two groups near each other, and a twentieth of the users far away
    scaled = blobs(((0.0, 0.0), (2.0, 0.0), (40.0, 0.0)), (500, 450, 50))
    guarded = chosen(scaled, 2, 3)
    assert guarded.silhouettes[2] > guarded.silhouettes[3]
    assert sizes(scaled, guarded)[-1] <= 510
    monkeypatch.setattr(cluster_choice, "unusable", lambda *_: [])
    assert sizes(scaled, chosen(scaled, 2, 3)) == [50, 950]


def test_yesterdays_clusters_are_given_up_when_one_of_them_has_become_tiny() -> None:
    scaled = blobs(TRIANGLE, (500, 500, 8))
    assert len(chosen(scaled, 2, 3, past=np.array(TRIANGLE)).centroids) == 2
    healthy = blobs(TRIANGLE, (500, 500, 80))
    assert len(chosen(healthy, 2, 3, past=np.array(TRIANGLE)).centroids) == 3


def test_where_all_break_a_guard_the_one_that_breaks_the_fewest_is_taken() -> None:
    scaled = blobs(TRIANGLE, (990, 6, 6))
    choice = chosen(scaled, 2, 3)
    assert choice.silhouettes[3] > choice.silhouettes[2]
    assert sizes(scaled, choice) == [12, 990]


def test_guards_hold_on_all_users_though_the_sample_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scaled = blobs(TRIANGLE, (500, 500, 8))
    lucky = np.r_[0:20, 500:520, 1_000:1_008]  # every one of the eight is in the sample
    monkeypatch.setattr(cluster_choice, "_sample", lambda *_: lucky)
    choice = chosen(scaled, 2, 3)
    assert choice.silhouettes[3] > choice.silhouettes[2]
    assert len(choice.centroids) == 2


def test_the_criterion_is_a_sentence_with_every_limit() -> None:
    text = criterion(ClusterRange(min=3, max=8))
    for part in ("3 to 8", "silhouette", "2,500", "1%", "10", "90%", "0.03"):
        assert part in text
    assert criterion(ClusterRange(min=4, max=4)).startswith("4 clusters")


@st.composite
def crowds(draw: st.DrawFn) -> pd.DataFrame:
    """Users of a few kinds in any proportion: one mass, a few apart, all alike."""
    kinds = draw(st.integers(1, 6))
    counts = draw(st.lists(st.integers(0, 300), min_size=kinds, max_size=kinds))
    people = make_features(kinds, draw(st.integers(0, 9)))
    users = renumbered(people.iloc[np.repeat(np.arange(kinds), counts)])
    if draw(st.booleans()):
        money = [name for name in users.columns if name.startswith(("spend", "purchases"))]
        users[money] = 0.0
    return users


@given(st.lists(crowds(), min_size=1, max_size=3), st.integers(2, 5))
def test_whatever_the_days_no_cluster_is_empty_and_what_breaks_a_guard_is_said(
    days: list[pd.DataFrame], least: int
) -> None:
    card, earlier_ids = None, set[int]()
    for number, users in enumerate(days):
        as_of = FIRST_DAY + pd.Timedelta(days=number)
        before: set[int] = {cluster.id for cluster in card.clusters} if card else set()
        card = fit_clusters(users, FEATURES, ClusterRange(min=least, max=6), card, as_of=as_of).card
        own = [cluster.size for cluster in card.clusters]
        assert all(own)
        assert len(card.warnings) == len(unusable(own, len(users)))
        assert not card.clusters or sum(card.shares.values()) == pytest.approx(1.0)
        today = {cluster.id for cluster in card.clusters}
        assert not (today - before) & earlier_ids
        earlier_ids |= today


def renumbered(users: pd.DataFrame) -> pd.DataFrame:
    return users.assign(user_id=[f"u{number:05d}" for number in range(len(users))])


def test_a_launch_month_and_a_log_of_times_alone_make_clusters_that_keep_the_guards() -> None:
    everybody = make_features(3_000)
    launch = everybody.assign(tenure_days=everybody["tenure_days"].clip(upper=29))
    prefixes = ("active_days", "events", "days_since_active", "tenure", "typical", "trend", "last")
    untold = [name for name in everybody.columns if not name.startswith((*prefixes, "user_id"))]
    bare = everybody.assign(**dict.fromkeys(untold, 0.0)).assign(days_since_purchase=np.nan)
    for users in (launch, bare):
        card = fit_clusters(users, FEATURES, ClusterRange(), None, as_of=FIRST_DAY).card
        assert card.state == "ready"
        assert card.warnings == ()


def test_a_mass_of_users_who_are_alike_is_one_cluster_that_the_card_warns_of() -> None:
    mass = make_features(1).sample(2_900, replace=True, random_state=0)
    users = renumbered(pd.concat([mass, make_features(100, 1)]))
    card = fit_clusters(users, FEATURES, ClusterRange(), None, as_of=FIRST_DAY).card
    giant = max(card.clusters, key=lambda cluster: cluster.size)
    assert card.shares[giant.id] > 0.9
    assert card.warnings[0] == (
        f"cluster {giant.id}, {giant.name}, has {giant.size:,} users; 30 to 90% of 3,000 are wanted"
    )
    assert len(card.warnings) == len(unusable([cluster.size for cluster in card.clusters], 3_000))


@pytest.mark.slow
def test_twenty_thousand_sparse_buyers_of_ten_years_make_clusters_that_keep_the_guards() -> None:
    game = make_game(windows=(28, 365, 3_650), active_days=365)
    users = make_features(20_000, game=game)
    recent = [name for name in users.columns if name.endswith("_28d")]
    users[recent] *= np.random.default_rng(0).random((20_000, 1)) < 0.03
    card = fit_clusters(users, declare_features(game), ClusterRange(), None, as_of=FIRST_DAY).card
    assert card.state == "ready"
    assert card.warnings == ()
