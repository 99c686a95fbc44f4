"""Populations: of which users a target is predicted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.core.encoding import is_missing
from ds_assets.game import Population

PURCHASE_AGO = "lifetime_days_since_purchase"
"""The feature that is missing for users who have never paid."""


def in_population(features: pd.DataFrame, population: Population) -> NDArray[np.bool_]:
    """Which users of a features frame belong to a population, shape (rows,)."""
    if population == "all":
        return np.ones(len(features), dtype=bool)
    has_paid = features[PURCHASE_AGO].notna().to_numpy(dtype=bool)
    return has_paid if population == "has_paid" else ~has_paid


def is_in_population(user: Mapping[str, Any], population: Population) -> bool:
    """Whether a user, as values by feature, belongs to a population; see `in_population`."""
    if population == "all":
        return True
    has_paid = not is_missing(user[PURCHASE_AGO])
    return has_paid == (population == "has_paid")
