"""A stored day of predictions is used only if every value of a model is a probability."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ds_assets.core.tables import PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.infra.lake import tables
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.prediction_checks import find_bad_prediction
from ds_assets.infra.lake.tables import store_rows
from ds_assets_tests.infra.factories import DAYS, row, row_of, table

DAY = DAYS[0]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderLake:
    monkeypatch.setattr(tables, "_ROWS_PER_BATCH", 2)
    lake = FolderLake(tmp_path)
    store(lake)
    return lake


def store(lake: FolderLake, **values: Any) -> None:
    """Store predictions of five users, the last two with other values."""
    rows = table(*map(row, "abc"), row("d", **values), row("e", **values))
    store_rows(rows, PREDICTIONS.name, DAY, lake)
    store_rows(rows.select(["user_id"]), "user_features", DAY, lake)


def store_targets(lake: FolderLake, *values: tuple[str, float | None]) -> None:
    """Store predictions of targets: the name and the probability of each."""
    rows = [
        row_of(TARGET_PREDICTIONS, user_id=f"u{number}", as_of=DAY, target=name, probability=value)
        for number, (name, value) in enumerate(values)
    ]
    stored = pa.Table.from_pylist(rows, schema=TARGET_PREDICTIONS.arrow_schema)
    store_rows(stored, TARGET_PREDICTIONS.name, DAY, lake)


def test_probabilities_of_all_users_are_good(lake: FolderLake) -> None:
    assert find_bad_prediction(DAY, lake) is None
    store(lake, churn_probability=0.0, payment_probability=1.0)
    store_targets(lake, ("level_up", 0.0), ("level_up", 1.0))
    assert find_bad_prediction(DAY, lake) is None


def test_users_without_a_prediction_are_counted(lake: FolderLake) -> None:
    store_rows(table(*map(row, "ab")), PREDICTIONS.name, DAY, lake)
    assert find_bad_prediction(DAY, lake) == "2 rows for 5 active users"


@pytest.mark.parametrize("value", [-0.1, 1.0000001, math.nan, math.inf, None])
@pytest.mark.parametrize("target", ["churn", "payment"])
def test_a_value_of_a_model_that_is_no_probability_is_counted(
    lake: FolderLake, target: str, value: float | None
) -> None:
    name = f"{target}_probability"
    store(lake, **{name: value})
    assert find_bad_prediction(DAY, lake) == f"2 values of {name} are not between 0 and 1"
    store(lake, **{name: value, f"{target}_model": None})
    assert find_bad_prediction(DAY, lake) is None


def test_the_target_with_most_bad_values_is_named(lake: FolderLake) -> None:
    bad = [("level_up", 1.5), ("spend_30", None), ("spend_30", math.nan), ("spend_30", 0.5)]
    store_targets(lake, *bad)
    assert find_bad_prediction(DAY, lake) == "2 probabilities of spend_30 are not between 0 and 1"
