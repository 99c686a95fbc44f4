import datetime as dt
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.clusters.clustering import FittedClusters, fit_clusters
from ds_assets.core.first_days import AGE
from ds_assets.core.first_days import is_new as is_new_user
from ds_assets.core.models.card.model_card import AMOUNTS, VALIDATION_MODEL, VALIDATION_PREFIX
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.inference import onnx_model
from ds_assets.core.models.inference.onnx_model import (
    PredictionModel,
    amounts,
    assign,
    explain,
    load_earlier_model,
    load_model,
    load_prediction_model,
    probabilities,
)
from ds_assets.core.models.training.plan import TrainedModel
from ds_assets.core.models.training.train import train
from ds_assets.errors import InputError
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import (
    FEATURES,
    FIRST_DAY,
    make_features,
    make_small_snapshot,
    make_small_snapshots,
    make_snapshots,
    make_target,
)

pytestmark = pytest.mark.usefixtures("few_trees")

AS_OF = FIRST_DAY + dt.timedelta(weeks=8)


@pytest.fixture(scope="module")
def churn() -> TrainedModel:
    return train(make_target(), AS_OF, make_snapshots(3))


@pytest.fixture(scope="module")
def clusters() -> FittedClusters:
    return fit_clusters(make_features(500), FEATURES, ClusterRange(), None, as_of=AS_OF)


@pytest.fixture(scope="module")
def payment() -> TrainedModel:
    """With a model of each side's own, and with amounts."""
    snapshots = make_small_snapshots(
        5, lambda _: lambda users: 3 * users["x"] * users["side"], 600, groups="side"
    )
    paid = [
        replace(
            snapshot, spend=snapshot.labels * (2 + snapshot.features["z"].to_numpy().clip(-1, 9))
        )
        for snapshot in snapshots
    ]
    return train(make_target("payment", user_groups="side"), AS_OF, paid)


def users_of_sides(users: int = 90) -> pd.DataFrame:
    """Left, right, nobody's and a new side."""
    features = make_small_snapshot(AS_OF, lambda frame: frame["x"], users).features
    sides = np.array(["left", "right", None], dtype=object)
    return features.assign(last_side=np.resize(sides, users)).drop(columns="user_group")


def loaded(model: TrainedModel) -> PredictionModel:
    assert model.onnx is not None
    return load_prediction_model(model.onnx, model.parts, model.card)


def loaded_clusters(fitted_clusters: FittedClusters) -> onnx_model.Model[Any]:
    assert fitted_clusters.onnx is not None
    return load_model(fitted_clusters.onnx, fitted_clusters.card)


def test_probabilities_are_one_a_row_between_nought_and_one(churn: TrainedModel) -> None:
    chances = probabilities(loaded(churn), make_features(400, seed=9))
    assert chances.shape == (400,)
    assert chances.dtype == np.float64
    assert ((chances >= 0) & (chances <= 1)).all()


def test_a_row_is_scored_the_same_alone_in_a_batch_and_in_any_order(
    churn: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = make_features(100, seed=9)
    whole = probabilities(loaded(churn), features)
    alone = [probabilities(loaded(churn), features[n : n + 1])[0] for n in range(10)]
    np.testing.assert_array_equal(alone, whole[:10])
    np.testing.assert_array_equal(probabilities(loaded(churn), features[::-1]), whole[::-1])
    monkeypatch.setattr(onnx_model, "BATCH_ROWS", 7)
    np.testing.assert_array_equal(probabilities(loaded(churn), features), whole)


def test_no_rows_give_no_answers(churn: TrainedModel, clusters: FittedClusters) -> None:
    nobody = make_features(5)[:0]
    assert probabilities(loaded(churn), nobody).shape == (0,)
    ids, distances = assign(loaded_clusters(clusters), nobody)
    assert ids.shape == distances.shape == (0,)
    assert ids.dtype == np.int64


def test_never_seen_infinite_and_missing_values_are_scored(churn: TrainedModel) -> None:
    features = make_features(4).assign(
        last_country=pd.Series(["XX", None, "", "KR"]),
        spend_7d=[np.inf, -np.inf, 1e300, np.nan],
        typical_gap=pd.Series([None] * 4),
    )
    assert np.isfinite(probabilities(loaded(churn), features)).all()


@pytest.fixture(scope="module")
def leaving_without_a_side() -> TrainedModel:
    """Users without a side leave, those of the right stay."""
    snapshots = make_small_snapshots(
        3, lambda _: lambda users: -4 * users["side"], 600, columns=("x", "last_side")
    )
    return train(make_target(), AS_OF, [without_left(snapshot) for snapshot in snapshots])


def without_left(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    sides = snapshot.features["last_side"]
    return replace(
        snapshot, features=snapshot.features.assign(last_side=sides.where(sides == "right"))
    )


def test_a_category_never_seen_changes_nobodys_chance_though_a_missing_one_does(
    leaving_without_a_side: TrainedModel,
) -> None:
    model = loaded(leaving_without_a_side)
    users = make_small_snapshot(
        AS_OF, lambda frame: frame["x"], columns=("x", "last_side")
    ).features
    right, new, missing = (
        probabilities(model, users.assign(last_side=pd.Series([side] * len(users), dtype="str")))
        for side in ("right", "up", None)
    )
    np.testing.assert_allclose(new, right, atol=1e-6)
    assert missing.mean() - right.mean() > 0.5


def test_no_reason_names_a_category_never_seen(leaving_without_a_side: TrainedModel) -> None:
    model = loaded(leaving_without_a_side)
    users = make_small_snapshot(
        AS_OF, lambda frame: frame["x"], columns=("x", "last_side")
    ).features
    named, new = (
        explain(model, users.assign(last_side=side), FEATURES).to_pylist()
        for side in ("right", "up")
    )
    assert all("side" in reasons for reasons in named)
    assert not any("side" in reasons for reasons in new)


def test_features_that_do_not_fit_are_all_named_with_the_model(churn: TrainedModel) -> None:
    wrong = make_features(4).drop(columns="spend_7d").assign(tenure_days="long")
    version = churn.card.version
    with pytest.raises(InputError, match=f"model {version} do not fit in 2") as caught:
        probabilities(loaded(churn), wrong)
    assert "spend_7d" in str(caught.value)
    assert "tenure_days" in str(caught.value)


def test_features_that_do_not_fit_are_named_even_without_a_row(churn: TrainedModel) -> None:
    with pytest.raises(InputError, match="spend_7d"):
        probabilities(loaded(churn), make_features(4).drop(columns="spend_7d")[:0])


def test_clusters_of_stored_models_are_those_of_the_day(clusters: FittedClusters) -> None:
    ids, distances = assign(loaded_clusters(clusters), make_features(500))
    expected = clusters.assignments
    np.testing.assert_array_equal(ids, expected["cluster"])
    np.testing.assert_allclose(distances, expected["distance"], atol=1e-9)


def test_a_damaged_file_is_refused(churn: TrainedModel) -> None:
    assert churn.onnx is not None
    with pytest.raises(InputError, match=f"model {churn.card.version} is damaged"):
        load_model(churn.onnx[:-1], churn.card)


def test_another_models_file_is_refused(churn: TrainedModel, clusters: FittedClusters) -> None:
    assert clusters.onnx is not None
    with pytest.raises(InputError, match="another model's"):
        load_model(clusters.onnx, churn.card)


def test_a_card_without_a_model_says_why() -> None:
    card = train(make_target(), AS_OF, []).card
    with pytest.raises(InputError, match="0 matured snapshots"):
        load_model(b"", card)


def test_a_feature_added_since_training_does_not_matter(churn: TrainedModel) -> None:
    features = make_features(20)
    chances = probabilities(loaded(churn), features.assign(count_new_7d=1.0))
    np.testing.assert_array_equal(chances, probabilities(loaded(churn), features))


def test_loading_a_model_tells_nobody_and_leaves_no_trace(tmp_path: Path) -> None:
    module = "ds_assets.core.models.inference.onnx_model"
    code = f"from {module} import _onnxruntime; _onnxruntime().SessionOptions()"
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    without = {k: v for k, v in os.environ.items() if k not in {"ORT_DISABLE_TELEMETRY", "CI"}}
    subprocess.run([sys.executable, "-c", code], env=without | home, check=True)  # noqa: S603
    assert list(tmp_path.rglob("*")) == []


def whole_alone(model: TrainedModel) -> PredictionModel:
    """The model for all users, without the group models."""
    return replace(loaded(model), groups={})


def test_each_user_is_answered_by_the_model_of_the_group(payment: TrainedModel) -> None:
    features = users_of_sides()
    model = loaded(payment)
    assert set(model.groups) == {"side=left", "side=right"}
    chances = probabilities(model, features)
    whole = probabilities(whole_alone(payment), features)
    of_nobody = features["last_side"].isna().to_numpy()
    np.testing.assert_array_equal(chances[of_nobody], whole[of_nobody])
    assert (chances[~of_nobody] != whole[~of_nobody]).mean() > 0.9
    high = (features["x"] > 0.5).to_numpy()
    for side, says in {"left": False, "right": True}.items():
        own = (features["last_side"] == side).to_numpy() & high
        assert bool(chances[own].mean() > 0.5) is says


def test_users_in_their_first_days_are_answered_by_the_model_of_these_days() -> None:
    def with_ages(snapshot: LabelledSnapshot) -> LabelledSnapshot:
        ages = np.where(snapshot.features["user_group"] == "side=left", 0.0, 100.0)
        return replace(snapshot, features=snapshot.features.assign(**{AGE: ages}))

    snapshots = make_small_snapshots(
        5, lambda _: lambda users: 3 * users["x"] * users["side"], 600, groups="side"
    )
    aged = [with_ages(snapshot) for snapshot in snapshots]
    plain = [
        replace(it, features=it.features.assign(user_group=pd.array([pd.NA] * 600, "string")))
        for it in aged
    ]
    model = loaded(train(make_target(), AS_OF, plain))
    assert set(model.groups) == {"first day"}
    users = plain[-1].features
    chances = probabilities(model, users)
    whole = probabilities(replace(model, groups={}), users)
    is_new = is_new_user("first day", users)
    np.testing.assert_array_equal(chances[~is_new], whole[~is_new])
    assert (chances[is_new] != whole[is_new]).mean() > 0.9
    is_high = (users["x"] > 0.5).to_numpy()
    assert chances[is_new & is_high].mean() < 0.5 < chances[~is_new & is_high].mean()


@pytest.mark.parametrize("side", ["up", "", "LEFT", "\x00", None])
def test_users_of_a_group_that_is_new_are_answered_by_the_global_model(
    payment: TrainedModel, side: str | None
) -> None:
    features = users_of_sides(20).assign(last_side=pd.Series([side] * 20, dtype=object))
    np.testing.assert_array_equal(
        probabilities(loaded(payment), features), probabilities(whole_alone(payment), features)
    )


def test_groups_are_scored_the_same_in_any_batch(
    payment: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = users_of_sides()
    whole, spend = probabilities(loaded(payment), features), amounts(loaded(payment), features)
    reasons = explain(loaded(payment), features, FEATURES).to_pylist()
    monkeypatch.setattr(onnx_model, "BATCH_ROWS", 7)
    np.testing.assert_array_equal(probabilities(loaded(payment), features), whole)
    assert spend is not None
    np.testing.assert_array_equal(amounts(loaded(payment), features), spend)
    assert explain(loaded(payment), features, FEATURES).to_pylist() == reasons


def test_reasons_are_those_of_the_model_that_answers(payment: TrainedModel) -> None:
    features = users_of_sides(30)
    left, right = (explain(loaded(payment), features.assign(last_side=side), FEATURES).to_pylist()
                   for side in ("left", "right"))  # fmt: skip
    assert len(left) == len(right) == 30
    assert left != right


def test_amounts_are_never_negative_and_those_of_the_card(payment: TrainedModel) -> None:
    expected_spend = amounts(loaded(payment), users_of_sides())
    assert expected_spend is not None
    assert expected_spend.shape == (90,)
    assert (expected_spend >= 0).all()
    assert expected_spend.mean() == pytest.approx(2.1, rel=0.3)
    spend = payment.card.spend
    assert spend is not None
    doubled = payment.card.model_copy(
        update={"spend": spend.model_copy(update={"factor": 2 * spend.factor})}
    )
    twice = amounts(replace(loaded(payment), card=doubled), users_of_sides())
    assert twice is not None
    np.testing.assert_allclose(twice, 2 * expected_spend)


def test_no_users_have_no_amounts_and_no_reasons(payment: TrainedModel) -> None:
    expected_spend = amounts(loaded(payment), users_of_sides()[:0])
    assert expected_spend is not None
    assert expected_spend.shape == (0,)
    assert explain(loaded(payment), users_of_sides()[:0], FEATURES).to_pylist() == []


def test_a_model_without_amounts_has_none(churn: TrainedModel) -> None:
    assert amounts(loaded(churn), make_features(3)) is None


def test_bad_values_have_finite_amounts_and_chances(payment: TrainedModel) -> None:
    features = users_of_sides(6).assign(x=[np.inf, -np.inf, np.nan, 1e300, -1e300, 0.0])
    assert np.isfinite(probabilities(loaded(payment), features)).all()
    expected_spend = amounts(loaded(payment), features)
    assert expected_spend is not None
    assert np.isfinite(expected_spend).all()


@pytest.mark.parametrize("name", [AMOUNTS, "group_1.onnx"])
def test_a_missing_part_is_named(payment: TrainedModel, name: str) -> None:
    parts = {other: file for other, file in payment.parts.items() if other != name}
    assert payment.onnx is not None
    with pytest.raises(InputError, match=f"{name} of model {payment.card.version} is missing"):
        load_prediction_model(payment.onnx, parts, payment.card)


@pytest.mark.parametrize("name", [AMOUNTS, "group_1.onnx"])
def test_a_part_that_is_not_the_cards_is_refused(payment: TrainedModel, name: str) -> None:
    assert payment.onnx is not None
    with pytest.raises(InputError, match="damaged or another model's"):
        load_prediction_model(payment.onnx, payment.parts | {name: b"?"}, payment.card)


def test_the_twin_scores_with_its_own_groups(payment: TrainedModel) -> None:
    features = users_of_sides()
    twin = load_earlier_model(VALIDATION_PREFIX, payment.parts, payment.card)
    assert set(twin.groups) == {"side=left", "side=right"}
    chances = probabilities(twin, features)
    assert (chances != probabilities(loaded(payment), features)).any()
    assert np.corrcoef(chances, probabilities(loaded(payment), features))[0, 1] > 0.9


def test_a_damaged_twin_is_refused(payment: TrainedModel) -> None:
    with pytest.raises(InputError, match="damaged or another model's"):
        load_earlier_model(
            VALIDATION_PREFIX, payment.parts | {VALIDATION_MODEL: b"?"}, payment.card
        )
