"""What every stored day of predictions must satisfy before anything uses it."""

import datetime as dt

from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.targets import BUILT_IN
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.tables import count_rows, read_columns, read_target_predictions


def find_bad_prediction(day: dt.date, lake: Lake) -> str | None:
    """Find what is wrong with the stored predictions of a day; none if nothing is."""
    rows, users = (count_rows(table, day, lake) for table in (PREDICTIONS.name, "user_features"))
    if rows != users:
        return f"{rows} rows for {users} active users"
    for target in BUILT_IN:
        columns = [target.model_column, target.probability_column]
        predicted = read_columns(PREDICTIONS.name, day, columns, lake)  # not all the texts
        is_applied = predicted[target.model_column].notna()
        probabilities = predicted.loc[is_applied, target.probability_column]
        if outside := int((~probabilities.between(0, 1)).sum()):
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
