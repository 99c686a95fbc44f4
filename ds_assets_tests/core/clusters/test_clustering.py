import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from ds_assets.core.cards import card_text, read_card
from ds_assets.core.clusters import choice as cluster_choice
from ds_assets.core.clusters import clustering
from ds_assets.core.clusters.clustering import (
    ClusterCard,
    FittedClusters,
    distance_features,
)
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.tables import CLUSTERS
from ds_assets.errors import InputError
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import FEATURES, FIRST_DAY, make_features, make_game

DAY = dt.timedelta(days=1)


def fit_clusters(
    features: pd.DataFrame,
    least: int = 3,
    most: int = 8,
    previous: ClusterCard | None = None,
    declared: Sequence[FeatureColumn] = FEATURES,
    **changes: Any,
) -> FittedClusters:
    changes.setdefault("as_of", FIRST_DAY if previous is None else previous.as_of + DAY)
    k_range = ClusterRange(min=least, max=most)
    return clustering.fit_clusters(features, declared, k_range, previous, **changes)


def drifted(features: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """A day later: every number has changed a little, and some users are others."""
    chance = np.random.default_rng(seed)
    numbers = features.select_dtypes("number")
    moved = numbers * chance.normal(1.02, 0.05, numbers.shape).clip(0.8, 1.2)
    moved["user_id"] = features["user_id"]
    return moved[len(features) // 50 :]


def clusters_of(fitted: FittedClusters) -> pd.Series:
    return fitted.assignments.set_index("user_id")["cluster"]


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    return make_features(1_200)


@pytest.fixture(scope="module")
def fitted(features: pd.DataFrame) -> FittedClusters:
    return fit_clusters(features)


def test_every_user_has_a_cluster_in_the_columns_of_the_table(
    features: pd.DataFrame, fitted: FittedClusters
) -> None:
    assert list(fitted.assignments.columns) == CLUSTERS.names
    assert list(fitted.assignments["user_id"]) == sorted(features["user_id"])
    stored = pa.Table.from_pandas(
        fitted.assignments, schema=CLUSTERS.arrow_schema, preserve_index=False
    )
    assert stored.num_rows == 1_200
    assert not fitted.assignments.isna().any(axis=None)


def test_the_card_and_the_assignments_say_the_same(fitted: FittedClusters) -> None:
    card = fitted.card
    assert card.state == "ready"
    assert card.users == 1_200
    counted = fitted.assignments.groupby(["cluster", "cluster_name"]).size()
    assert counted.to_dict() == {
        (cluster.id, cluster.name): cluster.size for cluster in card.clusters
    }
    assert [cluster.id for cluster in card.clusters] == list(range(1, card.next_id))


def test_the_number_of_clusters_has_the_best_silhouette_in_the_range(
    fitted: FittedClusters,
) -> None:
    silhouettes = fitted.card.silhouettes
    assert set(silhouettes) == {3, 4, 5, 6, 7, 8}
    assert len(fitted.card.clusters) == max(silhouettes, key=lambda number: silhouettes[number])


@pytest.mark.parametrize("number", [2, 5])
def test_one_number_of_clusters_is_that_number(features: pd.DataFrame, number: int) -> None:
    assert len(fit_clusters(features, number, number).card.clusters) == number


def test_clusters_are_those_of_scikit_learn_on_the_scaled_features(
    features: pd.DataFrame,
) -> None:
    fitted = fit_clusters(features, 4, 4)
    day = clustering._day(features, FEATURES)
    centroids = np.array([cluster.centroid for cluster in fitted.card.clusters])
    reference = KMeans(4, init=centroids, n_init=1).fit(day.scaled)
    np.testing.assert_allclose(reference.cluster_centers_, centroids, atol=1e-3)
    near = reference.transform(day.scaled)
    assignments = fitted.assignments
    ids = np.array([cluster.id for cluster in fitted.card.clusters])
    assert (ids[near.argmin(axis=1)] == assignments["cluster"]).mean() > 0.999
    np.testing.assert_allclose(near.min(axis=1), assignments["distance"], atol=1e-2)


def test_the_same_input_gives_the_same_bytes_whatever_the_order_of_rows_and_columns(
    features: pd.DataFrame, fitted: FittedClusters
) -> None:
    shuffled = features.sample(frac=1, random_state=5)
    again = fit_clusters(shuffled[shuffled.columns[::-1]])
    assert again.onnx == fitted.onnx
    assert again.card == fitted.card
    pd.testing.assert_frame_equal(again.assignments, fitted.assignments)


def test_another_seed_or_day_is_another_version(
    features: pd.DataFrame, fitted: FittedClusters
) -> None:
    versions = {
        fitted.card.version,
        fit_clusters(features, seed=1).card.version,
        fit_clusters(features, as_of=FIRST_DAY + DAY).card.version,
        fit_clusters(features, previous=fitted.card).card.version,
        fit_clusters(features[1:]).card.version,
    }
    assert len(versions) == 5


def test_a_card_survives_json_exactly(fitted: FittedClusters) -> None:
    assert read_card(ClusterCard, card_text(fitted.card), "card.json") == fitted.card


def test_ids_and_names_stay_while_users_drift(
    features: pd.DataFrame, fitted: FittedClusters
) -> None:
    before, users = fitted, features
    for day in range(4):
        users = drifted(users, seed=day)
        after = fit_clusters(users, previous=before.card)
        assert [(cluster.id, cluster.name) for cluster in after.card.clusters] == [
            (cluster.id, cluster.name) for cluster in fitted.card.clusters
        ]
        both = clusters_of(before).to_frame("then").join(clusters_of(after).rename("now"))
        assert (both.dropna()["then"] == both.dropna()["now"]).mean() > 0.9
        before = after


def test_more_clusters_keep_the_ids_there_were_and_the_new_one_has_a_new_id(
    features: pd.DataFrame,
) -> None:
    three = fit_clusters(features, 3, 3)
    four = fit_clusters(features, 4, 4, three.card)
    five = fit_clusters(features, 5, 5, four.card)
    assert [cluster.id for cluster in three.card.clusters] == [1, 2, 3]
    new = {cluster.id for cluster in four.card.clusters} - {1, 2, 3}
    assert new
    assert min(new) >= 4
    assert len({cluster.id for cluster in five.card.clusters} & {1, 2, 3}) >= 2
    assert five.card.next_id > max(cluster.id for cluster in five.card.clusters)


def test_a_cluster_that_appears_where_another_was_does_not_inherit_the_id_of_a_third() -> None:
    past = clustering._IdSource(np.array([[0.0, 0.0], [10.0, 0.0]]), np.array([4, 9]))
    today = np.array([[1.0, 0.0], [-2.0, 0.0]])
    assert clustering._identify(today, [past], 12).tolist() == [4, 12]


def test_ids_pass_on_where_all_users_moved_together() -> None:
    centroids = np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]])
    past = clustering._IdSource(centroids, np.array([4, 9, 2]))
    today = centroids[::-1] + np.array([4.0, 0.0])
    assert clustering._identify(today, [past], 12).tolist() == [2, 9, 4]


def test_ids_of_the_card_that_is_replaced_go_to_centres_that_continue_no_other() -> None:
    before = clustering._IdSource(np.array([[0.0, 0.0], [10.0, 0.0]]), np.array([4, 9]))
    replaced = clustering._IdSource(
        np.array([[0.0, 0.0], [10.0, 0.0], [50.0, 0.0]]), np.array([4, 9, 12])
    )
    today = np.array([[51.0, 0.0], [1.0, 0.0], [90.0, 0.0]])
    assert clustering._identify(today, [before, replaced], 20).tolist() == [12, 4, 20]


def test_a_day_that_is_made_again_keeps_its_ids(features: pd.DataFrame) -> None:
    first = fit_clusters(features, free_id=7)
    assert min(cluster.id for cluster in first.card.clusters) == 7
    again = fit_clusters(features, replaced=first.card, free_id=100)
    assert again.card == first.card


def test_ids_of_the_day_after_are_used_only_where_no_day_before_has_clusters(
    features: pd.DataFrame, fitted: FittedClusters
) -> None:
    later = fit_clusters(features, as_of=FIRST_DAY + 2 * DAY, free_id=50).card
    before = fit_clusters(features, as_of=FIRST_DAY - DAY, following=later, free_id=100).card
    assert before.clusters == later.clusters
    between = fit_clusters(features, previous=fitted.card, following=later, free_id=100).card
    assert [it.id for it in between.clusters] == [it.id for it in fitted.card.clusters]
    other = make_features(5, seed=50).iloc[[0, 1] * 60]
    other = other.assign(user_id=[f"other {number}" for number in range(len(other))])
    new = fit_clusters(other, 2, 2, previous=fitted.card, following=later, free_id=100).card
    assert not {it.id for it in new.clusters} & {it.id for it in later.clusters}


def test_new_ids_are_above_all_that_other_days_have_assigned(
    features: pd.DataFrame, fitted: FittedClusters
) -> None:
    five = fit_clusters(features, 5, 5, previous=fitted.card, free_id=40)
    ids = {cluster.id for cluster in fitted.card.clusters}
    new = {cluster.id for cluster in five.card.clusters} - ids
    assert min(new) == 40
    assert five.card.next_id == max(new) + 1


def test_an_id_that_was_given_up_never_comes_back(features: pd.DataFrame) -> None:
    card = fit_clusters(features, 5, 5).card
    yesterday = earlier_ids = {cluster.id for cluster in card.clusters}
    for number in (3, 6, 2, 5):
        card = fit_clusters(features, number, number, card).card
        today = {cluster.id for cluster in card.clusters}
        assert not (today - yesterday) & earlier_ids
        yesterday, earlier_ids = today, earlier_ids | today
    assert earlier_ids == set(range(1, card.next_id))


def test_ids_go_on_after_a_day_with_too_few_users(
    features: pd.DataFrame, fitted: FittedClusters
) -> None:
    outage = fit_clusters(features[:5], previous=fitted.card)
    assert outage.card.next_id == fitted.card.next_id
    after = fit_clusters(features, previous=outage.card)
    assert min(cluster.id for cluster in after.card.clusters) == fitted.card.next_id


def test_clusters_of_other_features_are_not_continued(fitted: FittedClusters) -> None:
    game = make_game(windows=(7, 28))
    features, declared = make_features(400, game=game), declare_features(game)
    after = fit_clusters(features, previous=fitted.card, declared=declared)
    assert min(cluster.id for cluster in after.card.clusters) == fitted.card.next_id


def test_clusters_cannot_continue_those_of_a_later_day(
    features: pd.DataFrame, fitted: FittedClusters
) -> None:
    with pytest.raises(ValueError, match="cannot continue those of 2024-01-01"):
        fit_clusters(features, previous=fitted.card, as_of=FIRST_DAY)


def test_yesterdays_number_stays_until_another_is_better_by_a_margin(
    features: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    five = fit_clusters(features, 5, 5)
    free = fit_clusters(features).card
    best, kept = max(free.silhouettes.values()), five.card.silhouettes[5]
    assert best > kept
    monkeypatch.setattr(cluster_choice, "SILHOUETTE_MARGIN", best - kept + 0.01)
    assert len(fit_clusters(features, previous=five.card).card.clusters) == 5
    monkeypatch.setattr(cluster_choice, "SILHOUETTE_MARGIN", best - kept - 0.01)
    assert len(fit_clusters(features, previous=five.card).card.clusters) == len(free.clusters)


def test_a_number_that_is_no_longer_asked_for_is_given_up(features: pd.DataFrame) -> None:
    six = fit_clusters(features, 6, 6)
    assert len(fit_clusters(features, 2, 3, six.card).card.clusters) in {2, 3}


def test_too_few_users_make_no_clusters_and_the_card_says_so() -> None:
    few = fit_clusters(make_features(19))
    assert few.onnx is None
    assert few.card.state == "not_enough_data"
    assert few.card.reasons == ("19 users, 19 of them different; 20 users who differ are needed",)
    assert list(few.assignments.columns) == CLUSTERS.names
    assert len(few.assignments) == 0
    assert read_card(ClusterCard, card_text(few.card), "card.json") == few.card
    pa.Table.from_pandas(few.assignments, schema=CLUSTERS.arrow_schema, preserve_index=False)


@pytest.mark.parametrize("rows", [slice(0, 0), [0] * 50])
def test_no_users_or_users_who_are_all_alike_make_no_clusters(rows: Any) -> None:
    alike = make_features(100).iloc[rows]
    alike = alike.assign(user_id=[f"u{n}" for n in range(len(alike))])
    assert fit_clusters(alike).card.state == "not_enough_data"


def test_users_who_allow_fewer_clusters_than_asked_for_get_fewer() -> None:
    fitted = fit_clusters(make_features(45), 6, 8)
    assert len(fitted.card.clusters) == 4
    assert fitted.card.reasons == ("45 users allow 4 clusters; 6 or more were asked for",)


@given(st.lists(st.integers(0, 4), min_size=40, max_size=80), st.integers(0, 5))
def test_no_cluster_is_ever_empty(kinds: list[int], seed: int) -> None:
    users = make_features(5, seed).iloc[kinds]
    users = users.assign(user_id=[f"u{n}" for n in range(len(users))])
    first = fit_clusters(users, 2, 5)
    again = fit_clusters(users, 2, 5, first.card)
    for fitted in (first, again):
        assert all(cluster.size > 0 for cluster in fitted.card.clusters)
        assert sum(cluster.size for cluster in fitted.card.clusters) == len(fitted.assignments)


def test_one_whale_is_not_a_cluster(features: pd.DataFrame) -> None:
    whale = features.copy()
    spend = [name for name in features.columns if name.startswith(("spend", "purchases"))]
    whale.loc[0, spend] = 1e9
    assert min(cluster.size for cluster in fit_clusters(whale).card.clusters) > 10


def test_a_missing_feature_is_refused_by_name(features: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="tenure_days: missing"):
        fit_clusters(features.drop(columns="tenure_days"))


def test_a_frame_without_any_window_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="active_days_28d: missing"):
        fit_clusters(pd.DataFrame({"user_id": ["a"]}))


def test_distances_are_made_of_a_week_four_weeks_and_slow_trends() -> None:
    names = [feature.name for feature in distance_features(FEATURES)]
    assert names[:4] == ["active_days_7d", "active_days_28d", "events_7d", "events_28d"]
    trends = [name for name in names if name.startswith("trend")]
    assert trends == ["trend_7d_14d", "trend_14d_28d", "trend_28d_90d"]
    assert names[-6:] == [
        *("days_since_active", "recency_in_gaps", "tenure_days", "typical_gap", "longest_gap"),
        "days_since_purchase",
    ]


@pytest.mark.parametrize("windows", [(1,), (1, 3), (90,), (5, 60)])
def test_any_windows_of_a_game_make_clusters(windows: tuple[int, ...]) -> None:
    game = make_game(windows=windows, active_days=1)
    features = make_features(200, game=game)
    # with a day in sight all who are there look alike
    features["spend_1d"] = np.arange(200.0) % 7 if 1 in windows else 0.0
    assert fit_clusters(features, declared=declare_features(game)).card.state == "ready"


def test_each_family_of_features_weighs_the_same(features: pd.DataFrame) -> None:
    day = clustering._day(features, FEATURES)
    weights: dict[str, float] = {}
    for feature, weight in zip(day.features, day.scaling.weight, strict=True):
        weights[str(feature.family)] = weights.get(str(feature.family), 0) + weight**2
    assert weights == pytest.approx(
        dict.fromkeys(("activity", "spend", "trend", "recency", "tenure"), 1.0)
    )


def test_missing_values_stand_for_what_they_mean() -> None:
    values = np.array([1.0, np.nan, 3.0])
    declared = {feature.name: feature for feature in FEATURES}
    assert clustering._fill(declared["days_since_purchase"], values) == 90
    assert clustering._fill(declared["trend_7d_14d"], values) == 0
    assert clustering._fill(declared["typical_gap"], values) == 2
    assert clustering._fill(declared["typical_gap"], values[1:2]) == 0
