import numpy as np

from ds_assets.core.clusters.clustering import fit_clusters
from ds_assets.core.models.inference.onnx_model import assign, load_model
from ds_assets.game import ClusterRange
from ds_assets_tests.core.factories import FEATURES, FIRST_DAY, make_features


def test_a_stored_model_assigns_as_the_day_did_missing_and_enormous_values_too() -> None:
    odd = make_features(1_200)
    odd.loc[:9, "spend_28d"] = 1e300
    odd.loc[10:19, "events_7d"] = -1e300
    odd.loc[20:29, ["typical_gap", "days_since_purchase", "trend_7d_14d"]] = np.nan
    odd.loc[30:39, "sessions_7d"] = np.inf
    fitted = fit_clusters(odd, FEATURES, ClusterRange(min=3, max=8), None, as_of=FIRST_DAY)
    assert fitted.onnx is not None
    ids, distances = assign(load_model(fitted.onnx, fitted.card), odd)
    np.testing.assert_array_equal(ids, fitted.assignments["cluster"])
    np.testing.assert_allclose(distances, fitted.assignments["distance"], atol=1e-6)
