"""Populations: of which users a target is predicted."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.game import Population


def in_population(features: pd.DataFrame, population: Population) -> NDArray[np.bool_]:
    """Which users of a features frame belong to a population, shape (rows,).

    A purchase is known of as far back as the longest window reaches.
    """
    if population == "all":
        return np.ones(len(features), dtype=bool)
    has_paid = features["days_since_purchase"].notna().to_numpy(dtype=bool)
    return has_paid if population == "has_paid" else ~has_paid
