"""The simplest rule that every model has to beat: recency alone.

Belongs here: rules without anything learnt. The logistic regression, which has to be beaten too,
is half of every model (`linear_model.py`).
"""

import numpy as np
import pandas as pd

from ds_assets.core.models.arrays import Floats
from ds_assets.core.targets import Target


def recency_scores(target: Target, features: pd.DataFrame) -> Floats:
    """Who was here last stays, who bought last buys again.

    Args:
        target: What is predicted.
        features: Holds days_since_active and days_since_purchase.

    Returns:
        One score a row, higher for the more likely; the lowest of all where nothing is known.
    """
    churn = target == "churn"
    column = features["days_since_active" if churn else "days_since_purchase"]
    days = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(days), -np.inf, days if churn else -days)
