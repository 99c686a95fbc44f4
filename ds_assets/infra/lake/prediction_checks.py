"""What every stored day of predictions must satisfy before anything uses it."""

import datetime as dt
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.targets import BUILT_IN
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.tables import count_rows, read_batches, read_target_batches


def find_bad_prediction(day: dt.date, lake: Lake) -> str | None:
    """Find what is wrong with the stored predictions of a day; none if nothing is."""
    rows, users = (count_rows(table, day, lake) for table in (PREDICTIONS.name, "user_features"))
    if rows != users:
        return f"{rows} rows for {users} active users"
    return _find_bad_value(day, lake) or _find_bad_target_prediction(day, lake)


def _find_bad_value(day: dt.date, lake: Lake) -> str | None:
    pairs = [(target.model_column, target.probability_column) for target in BUILT_IN]
    outside = Counter[str]()
    for batch in read_batches(PREDICTIONS, day, lake, [name for pair in pairs for name in pair]):
        for model, probability in pairs:
            outside[probability] += pc.sum(_is_outside(batch[model], batch[probability])).as_py()
    for name, count in outside.items():
        if count:
            return f"{count} values of {name} are not between 0 and 1"
    return None


def _find_bad_target_prediction(day: dt.date, lake: Lake) -> str | None:
    outside = Counter[str]()
    for batch in read_target_batches(day, lake, ["target", "model", "probability"]):
        is_outside = _is_outside(batch["model"], batch["probability"])
        outside.update(batch["target"].filter(is_outside).to_pylist())
    for name, count in outside.most_common(1):
        return f"{count} probabilities of {name} are not between 0 and 1"
    return None


def _is_outside(models: pa.Array, probabilities: pa.Array) -> pa.Array:
    """Which of the users that a model was applied to have no probability."""
    is_inside = pc.and_(pc.greater_equal(probabilities, 0), pc.less_equal(probabilities, 1))
    return pc.and_not(pc.is_valid(models), pc.fill_null(is_inside, False))
