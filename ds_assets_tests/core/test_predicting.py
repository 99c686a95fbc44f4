"""A day's models applied to a day's features."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.clustering import ClusterCard, fit_clusters
from ds_assets.core.model_card import ModelCard
from ds_assets.core.predicting import DayModels, predict, with_clusters
from ds_assets.core.scoring import Model, assign, load_model, probabilities
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.training import train
from ds_assets.errors import InputError
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import FIRST_DAY, make_features, make_snapshots

NONE = DayModels(FIRST_DAY, clusters=None, churn=None, payment=None)


@cache
def churn() -> Model[ModelCard]:
    snapshots = make_snapshots(4)
    trained = train("churn", snapshots[-1].matured_on, snapshots, horizon=14)
    assert trained.onnx is not None
    return load_model(trained.onnx, trained.card)


@cache
def clusters() -> Model[ClusterCard]:
    fitted = fit_clusters(make_features(), ClusterRange(min=3, max=3), None, as_of=FIRST_DAY)
    assert fitted.onnx is not None
    return load_model(fitted.onnx, fitted.card)


def models() -> DayModels:
    return DayModels(FIRST_DAY, clusters(), churn(), payment=None)


def test_each_user_has_a_row_of_the_contract() -> None:
    features = make_features(50, seed=9)
    rows = predict(features, models())
    assert list(rows) == PREDICTIONS.names
    assert list(rows["user_id"]) == list(features["user_id"])
    assert set(rows["as_of"]) == {FIRST_DAY}


def test_each_column_says_what_its_model_says() -> None:
    features = make_features(50, seed=9)
    rows = predict(features, models())
    assert np.array_equal(rows["churn_probability"], probabilities(churn(), features))
    assert np.array_equal(rows["cluster"].astype("int64"), assign(clusters(), features)[0])
    names = {one.id: one.name for one in clusters().card.clusters}
    assert list(rows["cluster_name"]) == [names[one] for one in rows["cluster"]]
    assert set(rows["churn_model"]) == {churn().card.version}
    assert set(rows["cluster_model"]) == {clusters().card.version}


def test_what_has_no_model_is_missing_and_the_users_are_still_there() -> None:
    rows = predict(make_features(50), NONE)
    assert len(rows) == 50
    assert rows.drop(columns=["user_id", "as_of"]).isna().all(axis=None)


def test_one_model_missing_leaves_the_others_as_they_are() -> None:
    rows = predict(make_features(50), models())
    assert rows[["payment_probability", "payment_model"]].isna().all(axis=None)
    assert rows["churn_probability"].between(0, 1).all()


def test_a_user_alone_is_given_what_the_same_user_is_given_among_others() -> None:
    features = make_features(200, seed=9)
    together = predict(features, models())
    for position in (0, 77, 199):
        alone = predict(features.iloc[[position]], models())
        pd.testing.assert_frame_equal(
            alone.reset_index(drop=True), together.iloc[[position]].reset_index(drop=True)
        )


def test_no_users_are_no_rows() -> None:
    rows = predict(make_features(10).iloc[:0], models())
    assert list(rows) == PREDICTIONS.names
    assert rows.empty


def test_features_that_a_model_needs_and_that_are_missing_are_all_named() -> None:
    lacking = make_features(10).drop(columns=["events_7d", "spend_28d"])
    with pytest.raises(InputError, match=r"events_7d(.|\n)*spend_28d"):
        predict(lacking, DayModels(FIRST_DAY, None, churn(), None))


def test_the_cluster_becomes_a_feature_and_is_missing_without_a_cluster_model() -> None:
    features = make_features(10)
    assert with_clusters(features, None)["cluster"].isna().all()
    found = with_clusters(features, clusters())["cluster"]
    assert found.to_list() == assign(clusters(), features)[0].tolist()
    assert "cluster" not in features
