import numpy as np

from benchmarks.controls.other_learners import Rows
from benchmarks.feature_families import (
    EVERY,
    FAMILIES,
    find_families,
    score_features,
    without_columns,
)
from benchmarks.validation import Flags
from ds_assets.core.feature_catalog import declare_features
from ds_assets.demo.source import GAME_FILE
from ds_assets.game import load_game


def rows_with(columns: int) -> Rows:
    """Eight snapshots of rows whose first column decides the label; the last one is of names."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(8 * 400, columns)).astype(np.float32)
    matrix[:, -1] = rng.integers(0, 3, len(matrix))
    return Rows(
        matrix=matrix,
        labels=matrix[:, 0] + rng.normal(size=len(matrix)) > 0,
        snapshot=np.repeat(np.arange(8), 400),
        weeks=2,
        predicted=matrix,
        categories=[columns - 1],
        names=[f"lifetime_{number}" for number in range(columns)],
    )


def test_each_family_has_features_of_the_demo_and_they_are_apart() -> None:
    names = [feature.name for feature in declare_features(load_game(GAME_FILE))]
    families = find_families(names)
    counts = np.sum([families[family] for family in FAMILIES], axis=0)
    assert all(is_in.any() for is_in in families.values())
    assert counts.max() == 1
    assert families[EVERY].sum() == counts.sum() < len(names)


def test_without_the_feature_that_decides_nothing_is_left() -> None:
    rows = rows_with(3)
    whole, none = score_features(rows), score_features(without_columns(first_of(3), rows))
    assert min(whole.areas) > 0.7
    assert max(none.areas) < 0.6
    assert len(whole.areas) == 4


def test_names_stay_names_when_columns_before_them_are_left_out() -> None:
    fewer = without_columns(first_of(3), rows_with(3))
    assert fewer.categories == [1]
    assert fewer.matrix.shape[1] == 2


def first_of(columns: int) -> Flags:
    return np.asarray(np.arange(columns) == 0)
