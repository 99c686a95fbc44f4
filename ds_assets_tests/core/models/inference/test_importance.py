import datetime as dt

import numpy as np
import pytest

from ds_assets.core.encoding import encode
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.inference import importance
from ds_assets.core.models.inference.importance import measure_importance
from ds_assets.core.models.inference.onnx_model import (
    PredictionModel,
    load_prediction_model,
    shap_values_of,
)
from ds_assets.core.models.training.train import train
from ds_assets_tests.core.factories import (
    FEATURES,
    FIRST_DAY,
    make_small_snapshots,
    make_snapshots,
    make_target,
)

pytestmark = pytest.mark.usefixtures("few_trees")

AS_OF = FIRST_DAY + dt.timedelta(weeks=8)


def trained(snapshots: list[LabelledSnapshot], groups: str = "none") -> PredictionModel:
    model = train(make_target(user_groups=groups), AS_OF, snapshots)
    assert model.onnx is not None
    return load_prediction_model(model.onnx, model.parts, model.card)


def test_families_of_features_come_in_the_order_of_their_mean_effects() -> None:
    snapshots = make_snapshots(3)
    model = trained(snapshots)
    effects = measure_importance(model, snapshots[-1].features, FEATURES)
    assert list(effects.values()) == sorted(effects.values(), reverse=True)
    assert next(iter(effects)) in {"last_seen", "active_days"}
    assert {"purchases", "tenure", "trend", "country", "level"} <= set(effects)
    of_features = np.abs(
        shap_values_of(model, encode(snapshots[-1].features, model.card.encoding), ())
    ).mean(axis=0)
    places = {name: place for place, name in enumerate(model.card.encoding.names)}
    assert effects["country"] == pytest.approx(of_features[places["last_country"]], rel=1e-4)


def test_of_many_users_a_sample_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = make_snapshots(3)
    model, users = trained(snapshots), snapshots[-1].features
    monkeypatch.setattr(importance, "MAX_USERS", 100)
    sample = measure_importance(model, users, FEATURES)
    assert sample == measure_importance(model, users.iloc[::3], FEATURES)


def test_each_user_counts_with_the_model_that_serves_the_user() -> None:
    snapshots = make_small_snapshots(
        5, lambda _: lambda users: 3 * users["x"] * users["side"], 600, groups="side"
    )
    model, users = trained(snapshots, "side"), snapshots[-1].features
    assert model.groups
    served = measure_importance(model, users, ())
    by_one = measure_importance(model, users.assign(user_group=None), ())
    assert served["x"] > 2 * by_one["x"]
