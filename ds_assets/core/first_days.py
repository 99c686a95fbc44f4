"""The first days of users: little is known about them yet, and most of those a game loses are new.

Scope: the names of these days, and which users are in them.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ds_assets.core.encoding import Encoding

FIRST_DAYS: Mapping[str, range] = {
    "first day": range(1),
    "days 1 to 2": range(1, 3),
    "days 3 to 6": range(3, 7),
}
"""Days since the first active day, by name: the first session, day 1 and day 3. The name of a user
group has an equals sign, so that none is called the same."""
AGE = "lifetime_days"
"""Feature with the days since the first active day."""


def is_new(name: str, features: pd.DataFrame) -> NDArray[np.bool_]:
    """Which users of a features frame are in some of their first days, shape (users,).

    Args:
        name: A name of `FIRST_DAYS`.
        features: The frame; without the ages of users, none is.
    """
    if AGE not in features:
        return np.zeros(len(features), dtype=bool)
    return _is_in(name, features[AGE].to_numpy(np.float32, na_value=np.nan))


def is_row_new(name: str, matrix: NDArray[np.float32], encoding: Encoding) -> NDArray[np.bool_]:
    """Which rows of encoded features are of users in some of their first days, shape (rows,).

    Args:
        name: A name of `FIRST_DAYS`.
        matrix: Encoded features, shape (rows, features).
        encoding: Their encoding; without the ages of users, no row is.
    """
    if AGE not in encoding.names:
        return np.zeros(len(matrix), dtype=bool)
    return _is_in(name, matrix[:, encoding.names.index(AGE)])


def _is_in(name: str, ages: NDArray[np.float32]) -> NDArray[np.bool_]:
    days = FIRST_DAYS[name]
    return np.asarray((ages >= days.start) & (ages < days.stop))
