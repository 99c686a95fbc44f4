"""Which users are in their first days."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.encoding import encode, fit_encoding
from ds_assets.core.first_days import AGE, FIRST_DAYS, is_new, is_row_new


@given(st.integers(0, 4_000))
def test_a_user_is_in_one_of_the_first_days_until_the_first_week_is_over(age: int) -> None:
    users = pd.DataFrame({AGE: [float(age)]})
    names = [name for name in FIRST_DAYS if is_new(name, users).any()]
    assert len(names) == (1 if age < 7 else 0)


@given(st.lists(st.one_of(st.none(), st.integers(0, 20)), min_size=1))
def test_encoded_rows_are_of_the_same_users(ages: list[int | None]) -> None:
    users = pd.DataFrame({AGE: pd.array(ages, dtype="Float64"), "x": 1.0})
    encoding = fit_encoding([users])
    for name in FIRST_DAYS:
        rows = is_row_new(name, encode(users, encoding), encoding)
        np.testing.assert_array_equal(rows, is_new(name, users))


@pytest.mark.parametrize("name", FIRST_DAYS)
def test_nobody_is_new_where_ages_are_not_recorded(name: str) -> None:
    users = pd.DataFrame({"x": [1.0, 2.0]})
    encoding = fit_encoding([users])
    assert not is_new(name, users).any()
    assert not is_row_new(name, encode(users, encoding), encoding).any()
