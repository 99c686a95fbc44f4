"""What every stored day of predictions must satisfy before anything uses it."""

import datetime as dt

import pyarrow.compute as pc

from ds_assets.core.targets import BUILT_IN
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.tables import count_rows, read_predictions, read_target_predictions


def find_bad_prediction(day: dt.date, lake: Lake) -> str | None:
    """Find what is wrong with the stored predictions of a day; none if nothing is."""
    rows = read_predictions(day, lake)
    users = count_rows("user_features", day, lake)
    if rows.num_rows != users:
        return f"{rows.num_rows} rows for {users} active users"
    for target in BUILT_IN:
        probabilities = rows.filter(pc.is_valid(rows[target.model_column]))[
            target.probability_column
        ]
        inside = pc.and_(pc.greater_equal(probabilities, 0.0), pc.less_equal(probabilities, 1.0))
        outside = len(probabilities) - (pc.sum(inside).as_py() or 0)
        if outside:
            return f"{outside} values of {target.probability_column} are not between 0 and 1"
    return _find_bad_target_prediction(day, lake)


def _find_bad_target_prediction(day: dt.date, lake: Lake) -> str | None:
    rows = read_target_predictions(day, lake).to_pandas()
    predicted = rows[rows["model"].notna()]
    outside = predicted[~predicted["probability"].between(0, 1)]
    counted = outside["target"].value_counts()
    if len(outside):
        return f"{counted.iloc[0]} probabilities of {counted.index[0]} are not between 0 and 1"
    return None
