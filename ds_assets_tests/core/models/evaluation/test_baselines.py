import numpy as np
import pandas as pd

from ds_assets.core.models.evaluation.baselines import recency_scores
from ds_assets_tests.core.factories import make_target


def test_the_recency_rule_ranks_churn_by_days_away() -> None:
    features = pd.DataFrame({"days_since_active": [0.0, 9.0, 3.0]})
    assert recency_scores(make_target("churn"), features).tolist() == [0.0, 9.0, 3.0]


def test_the_recency_rule_ranks_payment_by_the_last_purchase_and_non_payers_last() -> None:
    features = pd.DataFrame({"days_since_purchase": [2.0, np.nan, 80.0]})
    assert recency_scores(make_target("payment"), features).tolist() == [-2.0, -np.inf, -80.0]


def test_the_recency_rule_reads_missing_values_of_any_dtype() -> None:
    features = pd.DataFrame({"days_since_purchase": pd.array([2, None], dtype="Int64")})
    assert recency_scores(make_target("payment"), features).tolist() == [-2.0, -np.inf]
