import numpy as np
import pandas as pd
import pytest

from ds_assets.core.models.data.populations import PURCHASE_AGO, in_population, is_in_population
from ds_assets.game import Population

FEATURES = pd.DataFrame({PURCHASE_AGO: pd.array([0, None, 90], dtype="Float64")})


@pytest.mark.parametrize(
    ("population", "expected"),
    [
        ("all", [True, True, True]),
        ("never_paid", [False, True, False]),
        ("has_paid", [True, False, True]),
    ],
)
def test_users_belong_to_a_population_by_their_last_purchase(
    population: Population, expected: list[bool]
) -> None:
    for features in (FEATURES, FEATURES.astype("float64")):
        assert np.array_equal(in_population(features, population), expected)
        users = [{PURCHASE_AGO: value} for value in features[PURCHASE_AGO]]
        assert [is_in_population(user, population) for user in users] == expected
