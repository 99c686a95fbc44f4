"""The simplest rule that every model has to beat: recency alone.

Scope: rules without training. The other baseline, a logistic regression, is in
`learning/linear_model.py`.
"""

import numpy as np
import pandas as pd

from ds_assets.core.models.arrays import Floats
from ds_assets.core.targets import Target


def recency_scores(target: Target, features: pd.DataFrame) -> Floats:
    """Rank users by the one feature that the target's baseline names.

    Args:
        target: What is predicted.
        features: Features frame with that feature.

    Returns:
        Shape (rows,), higher for more likely users; lowest if the feature is missing.
    """
    rule = target.baseline
    values = features[rule.feature].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isnan(values), -np.inf, values if rule.larger_is_likelier else -values)
