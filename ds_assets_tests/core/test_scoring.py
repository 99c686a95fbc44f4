import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ds_assets.core import scoring
from ds_assets.core.clustering import FittedClusters, fit_clusters
from ds_assets.core.scoring import assign, load_model, probabilities
from ds_assets.core.training import TrainedModel, train
from ds_assets.errors import InputError
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import FIRST_DAY, make_features, make_snapshots

AS_OF = FIRST_DAY + dt.timedelta(weeks=8)


@pytest.fixture(scope="module")
def churn() -> TrainedModel:
    return train("churn", AS_OF, make_snapshots(5), horizon=14)


@pytest.fixture(scope="module")
def clusters() -> FittedClusters:
    return fit_clusters(make_features(500), ClusterRange(), None, as_of=AS_OF)


def loaded(made: TrainedModel | FittedClusters) -> scoring.Model[Any]:
    assert made.onnx is not None
    return load_model(made.onnx, made.card)


def test_probabilities_are_one_a_row_between_nought_and_one(churn: TrainedModel) -> None:
    found = probabilities(loaded(churn), make_features(400, seed=9))
    assert found.shape == (400,)
    assert found.dtype == np.float64
    assert ((found >= 0) & (found <= 1)).all()


def test_a_row_is_scored_the_same_alone_in_a_batch_and_in_any_order(
    churn: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = make_features(100, seed=9)
    whole = probabilities(loaded(churn), features)
    alone = [probabilities(loaded(churn), features[n : n + 1])[0] for n in range(10)]
    np.testing.assert_array_equal(alone, whole[:10])
    np.testing.assert_array_equal(probabilities(loaded(churn), features[::-1]), whole[::-1])
    monkeypatch.setattr(scoring, "BATCH_ROWS", 7)
    np.testing.assert_array_equal(probabilities(loaded(churn), features), whole)


def test_no_rows_give_no_answers(churn: TrainedModel, clusters: FittedClusters) -> None:
    nobody = make_features(5)[:0]
    assert probabilities(loaded(churn), nobody).shape == (0,)
    ids, distances = assign(loaded(clusters), nobody)
    assert ids.shape == distances.shape == (0,)
    assert ids.dtype == np.int64


def test_never_seen_infinite_and_missing_values_are_scored(churn: TrainedModel) -> None:
    features = make_features(4).assign(
        last_country=pd.Series(["XX", None, "", "KR"]),
        spend_7d=[np.inf, -np.inf, 1e300, np.nan],
        typical_gap=pd.Series([None] * 4),
    )
    assert np.isfinite(probabilities(loaded(churn), features)).all()


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
    ids, distances = assign(loaded(clusters), make_features(500))
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
    card = train("churn", AS_OF, [], horizon=14).card
    with pytest.raises(InputError, match="0 matured snapshots"):
        load_model(b"", card)


def test_a_feature_added_since_training_does_not_matter(churn: TrainedModel) -> None:
    features = make_features(20)
    found = probabilities(loaded(churn), features.assign(count_new_7d=1.0))
    np.testing.assert_array_equal(found, probabilities(loaded(churn), features))


def test_loading_a_model_tells_nobody_and_leaves_no_trace(tmp_path: Path) -> None:
    code = "from ds_assets.core.scoring import _onnxruntime; _onnxruntime().SessionOptions()"
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    without = {k: v for k, v in os.environ.items() if k not in {"ORT_DISABLE_TELEMETRY", "CI"}}
    subprocess.run([sys.executable, "-c", code], env=without | home, check=True)  # noqa: S603
    assert list(tmp_path.rglob("*")) == []
