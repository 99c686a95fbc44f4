"""What a model goes by: how far each family of features moves its predictions.

Scope: the mean over users of what `reasons` gives for each of them.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ds_assets.core.encoding import USER_GROUP, encode
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.models.inference.onnx_model import PredictionModel, shap_values_of
from ds_assets.core.models.inference.reasons import plan_reasons

MAX_USERS = 2_000
"""Users whose effects are averaged: enough for a standard error of some 2 % of a mean."""


def measure_importance(
    model: PredictionModel, features: pd.DataFrame, declared: Iterable[FeatureColumn]
) -> dict[str, float]:
    """Mean absolute effect on the log-odds by code of a reason, the largest first.

    Effects are exact tree SHAP values, summed over the features of a code.

    Args:
        model: A target's model.
        features: Frame with every feature of the card and the column `user_group`, at least one
            row; of more than `MAX_USERS` rows, every n-th is used.
        declared: The game's features.
    """
    step = -(-len(features) // MAX_USERS)
    users = features.iloc[::step]
    plan = plan_reasons(model.card.encoding, declared, 0)
    groups = users[USER_GROUP].fillna("").tolist()
    values = shap_values_of(model, encode(users, model.card.encoding), groups)
    means = np.abs(plan.grouping @ values.T).mean(axis=1)
    effects = {reason.code: float(mean) for reason, mean in zip(plan.reasons, means, strict=True)}
    return dict(sorted(effects.items(), key=lambda item: (-item[1], item[0])))
