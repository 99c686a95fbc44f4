"""The live model: the newest day's models, applied to the newest features, at the time of asking.

Belongs here: which stored day answers. How a row is scored is `core`'s, and the same as in batch.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pyarrow import ArrowInvalid

from ds_assets.core.models.predicting import predict
from ds_assets.errors import InputError
from ds_assets.resources.lake import Lake
from ds_assets.resources.model_store import day_models, has_models
from ds_assets.resources.stored_tables import table_file
from ds_assets.serving.service import LiveUnavailable


class LakeModel:
    """Scores users from what the lake holds of them."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def score(self, user_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Predictions of those users who are in the newest features; the others are left out.

        Raises:
            LiveUnavailable: there is no day with features and models, or they do not fit.
        """
        day = self._newest_day()
        file = self._lake.local(table_file("user_features", day))
        try:
            features = pd.read_parquet(file, filters=[("user_id", "in", list(user_ids))])
            if features.empty:
                return {}
            rows = predict(features, day_models(day, self._lake))
        except (InputError, OSError, ArrowInvalid) as error:
            raise LiveUnavailable(str(error)) from None
        plain = rows.astype(object).where(rows.notna(), None)
        records: list[dict[str, Any]] = plain.to_dict("records")  # type: ignore[assignment]
        return {row["user_id"]: row for row in records}

    def _newest_day(self) -> dt.date:
        for day in reversed(self._lake.days("models/payment")):
            if self._lake.exists(table_file("user_features", day)) and has_models(day, self._lake):
                return day
        raise LiveUnavailable(f"the lake {self._lake} holds no day with features and models")
