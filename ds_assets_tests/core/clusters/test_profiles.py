import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.clusters.clustering import fit_clusters
from ds_assets.core.clusters.profiles import (
    cluster_profiles,
    profile_features,
    target_probabilities,
)
from ds_assets.core.contracts import conform
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.tables import CLUSTER_PROFILES
from ds_assets.errors import InputError
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import FEATURES, FIRST_DAY, make_features, make_game

DAY = FIRST_DAY


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    return make_features(600)


@pytest.fixture(scope="module")
def clusters(features: pd.DataFrame) -> pd.DataFrame:
    return fit_clusters(features, FEATURES, ClusterRange(min=3, max=3), None, as_of=DAY).assignments


def predicted(features: pd.DataFrame, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"user_id": features["user_id"], **columns})


def profiles(
    features: pd.DataFrame,
    clusters: pd.DataFrame,
    predictions: pd.DataFrame | None = None,
    week_before: pd.DataFrame | None = None,
) -> pd.DataFrame:
    predictions = predicted(features) if predictions is None else predictions
    return cluster_profiles(DAY, features, FEATURES, clusters, predictions, week_before)


def test_each_cluster_has_a_row_with_its_size_and_share(
    features: pd.DataFrame, clusters: pd.DataFrame
) -> None:
    rows = profiles(features, clusters)
    assert conform(CLUSTER_PROFILES, rows).num_rows == 3
    assert rows["cluster"].tolist() == [1, 2, 3]
    assert rows["users"].tolist() == clusters.groupby("cluster").size().tolist()
    assert rows["share"].sum() == pytest.approx(1.0)
    assert set(rows["as_of"]) == {DAY}


def test_values_of_a_cluster_are_those_of_its_users(
    features: pd.DataFrame, clusters: pd.DataFrame
) -> None:
    chance = np.random.default_rng(1).random(600)
    predictions = predicted(
        features, churn_probability=chance, payment_probability=1 - chance, expected_spend=chance
    )
    rows = profiles(features, clusters, predictions)
    users = clusters.merge(features, on="user_id").merge(predictions, on="user_id")
    for row in rows.to_dict("records"):
        own = users[users["cluster"] == row["cluster"]]
        assert row["cluster_name"] == own["cluster_name"].iloc[0]
        assert row["churn_probability"] == pytest.approx(own["churn_probability"].mean())
        assert row["payment_probability"] == pytest.approx(own["payment_probability"].mean())
        assert row["expected_spend"] == pytest.approx(own["expected_spend"].mean())
        assert row["active_days"] == pytest.approx(own["active_days_28d"].mean())
        assert row["payers"] == pytest.approx((own["purchases_28d"] > 0).mean())
        assert row["spend"] == pytest.approx(own["spend_28d"].mean())
        typical = json.loads(row["typical_values"])
        assert list(typical) == [feature.name for feature in profile_features(FEATURES)]
        for name, (mine, of_all) in typical.items():
            assert mine == pytest.approx(own[name].median(), abs=1e-5)
            assert of_all == pytest.approx(features[name].median(), abs=1e-5)


def test_what_is_not_predicted_is_missing(features: pd.DataFrame, clusters: pd.DataFrame) -> None:
    predictions = predicted(features, churn_probability=None, payment_probability=0.5)
    rows = conform(CLUSTER_PROFILES, profiles(features, clusters, predictions))
    assert rows["churn_probability"].null_count == rows["expected_spend"].null_count == 3
    assert rows["payment_probability"].to_pylist() == [0.5] * 3


def test_users_who_stayed_came_and_went_add_up_to_both_weeks(
    features: pd.DataFrame, clusters: pd.DataFrame
) -> None:
    before = clusters.assign(cluster=clusters["cluster"].to_numpy()[::-1])[100:]
    rows = profiles(features, clusters, week_before=before)
    assert (rows["stayed"] + rows["came"] == rows["users"]).all()
    sizes = before.groupby("cluster").size()
    assert (rows["stayed"] + rows["went"]).tolist() == sizes.tolist()
    alone = profiles(features, clusters)
    assert alone[["stayed", "came", "went"]].isna().all(axis=None)


def test_a_day_without_clusters_has_no_rows(features: pd.DataFrame, clusters: pd.DataFrame) -> None:
    none = profiles(features, clusters[:0])
    assert conform(CLUSTER_PROFILES, none).num_rows == 0


def test_the_order_of_rows_changes_no_bit(features: pd.DataFrame, clusters: pd.DataFrame) -> None:
    predictions = predicted(features, churn_probability=np.random.default_rng(2).random(600))
    shuffled = [frame.sample(frac=1, random_state=4) for frame in (features, clusters, predictions)]
    pd.testing.assert_frame_equal(
        profiles(features, clusters, predictions), profiles(*shuffled), check_exact=True
    )


def test_unknown_and_enormous_values_make_profiles_all_the_same(
    features: pd.DataFrame, clusters: pd.DataFrame
) -> None:
    odd = features.assign(typical_gap=np.nan)
    odd.loc[:9, "spend_28d"] = np.inf
    odd.loc[10:19, "sessions_28d"] = 1e300
    rows = profiles(odd, clusters)
    assert np.isfinite(rows["spend"]).all()
    assert all(json.loads(text)["typical_gap"] == [None, None] for text in rows["typical_values"])


@pytest.mark.parametrize(
    ("windows", "window"), [((1, 7, 14), 14), ((7, 28, 90), 28), ((3,), 3), ((30, 365), 30)]
)
def test_the_window_is_four_weeks_or_the_nearest_there_is(
    windows: tuple[int, ...], window: int
) -> None:
    game = make_game(windows=windows, active_days=1)
    names = [feature.name for feature in profile_features(declare_features(game))]
    assert {f"active_days_{window}d", f"spend_{window}d"} <= set(names)
    assert len(names) == (9 if len(windows) > 1 else 8)


def test_a_feature_that_is_missing_is_named(features: pd.DataFrame, clusters: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="tenure_days"):
        profiles(features.drop(columns="tenure_days"), clusters)


def test_profiles_are_of_their_day() -> None:
    users = make_features(60)
    day = dt.date(2025, 5, 5)
    fitted = fit_clusters(users, FEATURES, ClusterRange(min=2, max=2), None, as_of=day)
    rows = cluster_profiles(day, users, FEATURES, fitted.assignments, predicted(users), None)
    assert set(rows["as_of"]) == {day}


def test_means_of_targets_are_the_same_whatever_the_pieces() -> None:
    clusters = pd.DataFrame({"user_id": ["a", "b", "c"], "cluster": [3, 3, 7]})
    rows = [
        *(("a", "level_up", 0.25), ("a", "spend_30", 0.5), ("b", "level_up", 0.75)),
        *(("b", "spend_30", None), ("c", "spend_30", None), ("nobody", "level_up", 1.0)),
    ]
    whole = pd.DataFrame(rows, columns=["user_id", "target", "probability"])
    cuts: list[list[pd.DataFrame]] = [[whole], [whole[:1], whole[1:4], whole[4:]]]
    for pieces in (*cuts, [whole[place : place + 1] for place in range(6)]):
        means = target_probabilities(clusters, pieces)
        assert {key: json.loads(text) for key, text in means.items()} == {
            3: {"level_up": 0.5, "spend_30": 0.5}
        }
    assert target_probabilities(clusters, []) == {}
