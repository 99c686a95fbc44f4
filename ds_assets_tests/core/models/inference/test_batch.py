"""A day's models applied to a day's features."""

import datetime as dt
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.cards import ModelFiles
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.contracts import conform
from ds_assets.core.models.inference.batch import (
    DayModels,
    Predictor,
    TargetModel,
    load_day,
    with_clusters,
)
from ds_assets.core.models.inference.batch import predict as predict_open
from ds_assets.core.models.inference.onnx_model import (
    Model,
    amounts,
    assign,
    explain,
    probabilities,
)
from ds_assets.core.tables import PREDICTIONS
from ds_assets.errors import InputError
from ds_assets_tests.core.factories import FEATURES, FIRST_DAY, make_features
from ds_assets_tests.core.models.day_factories import (
    NO_MODELS,
    churn_files,
    cluster_files,
    day_files,
    grouped,
    lacking_files,
    make_day_files,
    predict,
)

pytestmark = pytest.mark.usefixtures("few_trees")


def models() -> DayModels:
    return load_day(make_day_files(clusters=cluster_files(), churn=churn_files()))


def churn() -> TargetModel:
    return models().targets["churn"]


def clusters() -> Model[ClusterCard]:
    model = models().clusters
    assert model is not None
    return model


def features_of(users: int = 50) -> pd.DataFrame:
    return make_features(users, seed=9)


def test_each_user_has_a_row_of_the_contract() -> None:
    features = make_features(50, seed=9)
    rows = predict(features, models())
    assert list(rows) == PREDICTIONS.names
    assert list(rows["user_id"]) == list(features["user_id"])
    assert set(rows["as_of"]) == {FIRST_DAY}


def test_each_column_says_what_its_model_says() -> None:
    features = make_features(50, seed=9)
    rows = predict(features, models())
    model = churn().model
    assert model is not None
    assert np.array_equal(rows["churn_probability"], probabilities(model, features))
    assert list(rows["churn_reasons"]) == explain(model, features, FEATURES).to_pylist()
    assert np.array_equal(rows["cluster"].astype("int64"), assign(clusters(), features)[0])
    names = {cluster.id: cluster.name for cluster in clusters().card.clusters}
    assert list(rows["cluster_name"]) == [names[cluster] for cluster in rows["cluster"]]
    assert set(rows["churn_model"]) == {churn().card.version}
    assert set(rows["cluster_model"]) == {clusters().card.version}


def test_what_has_no_model_is_missing_and_the_users_are_still_there() -> None:
    rows = predict(make_features(50), NO_MODELS)
    assert len(rows) == 50
    why = ["churn_missing", "payment_missing"]
    assert rows.drop(columns=["user_id", "as_of", "last_seen", *why]).isna().all(axis=None)
    assert set(rows["churn_missing"]) == {"no model was made for the day"}


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


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (0, FIRST_DAY),
        (3, FIRST_DAY - dt.timedelta(3)),
        (0.5, FIRST_DAY),
        (np.nan, None),
        (-1, None),
        (np.inf, None),
        (1e300, None),
    ],
)
def test_each_user_was_seen_so_many_days_ago_if_there_is_such_a_day(
    ago: float, expected: dt.date | None
) -> None:
    features = features_of(3).assign(days_since_active=[ago, 1, 2])
    for given in (features, features.astype({"days_since_active": "Float64"})):
        days = conform(PREDICTIONS, predict(given, NO_MODELS))["last_seen"].to_pylist()
        assert days == [expected, FIRST_DAY - dt.timedelta(1), FIRST_DAY - dt.timedelta(2)]
    only = predict(features[:1], NO_MODELS)
    assert conform(PREDICTIONS, only)["last_seen"].to_pylist() == [expected]


def test_days_on_which_the_game_was_closed_lie_between_a_user_was_seen_and_the_day() -> None:
    features = features_of(3).assign(days_since_active=[0, 1, 2])
    closed = frozenset(FIRST_DAY - dt.timedelta(n) for n in (0, 2))
    rows = predict_open(features, NO_MODELS, FEATURES, closed)
    assert rows["last_seen"].to_list() == [FIRST_DAY - dt.timedelta(n) for n in (1, 3, 4)]


def test_no_users_are_no_rows() -> None:
    rows = predict(make_features(10).iloc[:0], models())
    assert list(rows) == PREDICTIONS.names
    assert rows.empty


def test_features_that_a_model_needs_and_that_are_missing_are_all_named() -> None:
    lacking = make_features(10).drop(columns=["events_7d", "spend_28d"])
    with pytest.raises(InputError, match=r"events_7d(.|\n)*spend_28d"):
        predict(lacking, DayModels(FIRST_DAY, None, {"churn": churn()}))


def test_the_cluster_becomes_a_feature_and_is_missing_without_a_cluster_model() -> None:
    features = make_features(10)
    assert with_clusters(features, None)["cluster"].isna().all()
    cluster_column = with_clusters(features, clusters())["cluster"]
    assert cluster_column.to_list() == assign(clusters(), features)[0].tolist()
    assert "cluster" not in features


def test_what_data_is_missing_is_said_to_each_user() -> None:
    rows = predict(features_of(), load_day(day_files(payment=lacking_files())))
    (missing,) = set(rows["payment_missing"])
    assert missing.startswith("not enough data: 0 matured snapshots")
    assert missing.endswith("expected on 2024-01-29")
    assert rows[["payment_probability", "payment_model", "expected_spend"]].isna().all(axis=None)
    assert rows["churn_missing"].isna().all()


def test_expected_spend_is_the_chance_times_the_amount() -> None:
    models = load_day(day_files())
    model = models.targets["payment"].model
    assert model is not None
    features = features_of()
    rows = predict(features, models)
    amount = amounts(model, features)
    assert amount is not None
    np.testing.assert_allclose(rows["expected_spend"], rows["payment_probability"] * amount)
    assert (rows["expected_spend"] >= 0).all()


def test_a_churn_model_expects_no_spend() -> None:
    assert predict(features_of(), models())["expected_spend"].isna().all()


@pytest.mark.parametrize("users", [0, 1, 50])
def test_rows_keep_the_contract(users: int) -> None:
    for day in (day_files(), replace(day_files(payment=lacking_files()), clusters=None)):
        rows = predict(features_of().iloc[:users], load_day(day))
        assert conform(PREDICTIONS, rows).num_rows == users


def test_users_have_the_group_that_models_are_made_for() -> None:
    features = features_of()
    of_country = predict(features, grouped("country"))["user_group"]
    expected = [f"country={country}" if isinstance(country, str) else None
                for country in features["last_country"]]  # fmt: skip
    assert [None if pd.isna(group) else group for group in of_country] == expected
    rows = predict(features, grouped("clusters"))
    assert list(rows["user_group"]) == [f"cluster={cluster}" for cluster in rows["cluster"]]
    assert predict(features, models())["user_group"].isna().all()


def test_a_group_that_is_new_today_is_answered_by_the_global_model() -> None:
    features = features_of().assign(last_country="NZ")
    day = grouped("country")
    rows = predict(features, day)
    assert set(rows["user_group"]) == {"country=NZ"}
    model = day.targets["churn"].model
    assert model is not None
    alone = replace(model, groups={})
    assert np.array_equal(rows["churn_probability"], probabilities(alone, features))


def test_a_batch_of_days_is_predicted_by_the_models_of_each() -> None:
    later = FIRST_DAY + dt.timedelta(days=1)
    days = (day_files(), make_day_files(later, churn=churn_files()))
    features = features_of(20).assign(dt=[FIRST_DAY, later] * 10)
    predictions_by_day = list(Predictor(days, FEATURES)(features))
    assert [set(predictions["as_of"]) for predictions in predictions_by_day] == [
        {FIRST_DAY},
        {later},
    ]
    assert [predictions["cluster"].isna().all() for predictions in predictions_by_day] == [
        False,
        True,
    ]
    assert all(
        set(predictions["user_id"]).isdisjoint(other["user_id"])
        for predictions, other in pairwise(predictions_by_day)
    )


def test_models_are_loaded_once_for_all_batches_of_a_day() -> None:
    assert load_day(day_files()) is load_day(day_files())


def test_a_damaged_card_is_named_with_its_day() -> None:
    damaged = day_files(churn=ModelFiles("{", None))
    with pytest.raises(InputError, match="of 2024-01-01"):
        load_day(damaged)


def test_a_cluster_card_without_a_model_gives_no_clusters() -> None:
    day = load_day(replace(day_files(), clusters=replace(cluster_files(), onnx=None)))
    assert day.clusters is None
    assert predict(features_of(), day)["cluster"].isna().all()


def test_no_model_is_made_of_a_missing_file() -> None:
    model = load_day(day_files(churn=lacking_files())).targets["churn"]
    assert model.model is None
    assert model.card.state == "not_enough_data"
