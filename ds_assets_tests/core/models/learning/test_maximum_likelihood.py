import numpy as np
import pytest

from ds_assets.core.models.learning.maximum_likelihood import (
    LARGEST,
    MAX_FITTED_USERS,
    choose_evenly,
    minimize_positive,
)


def test_few_users_are_all_chosen() -> None:
    assert choose_evenly(3).tolist() == [0, 1, 2]


def test_many_users_are_chosen_evenly_from_the_first_to_the_last() -> None:
    chosen = choose_evenly(10 * MAX_FITTED_USERS)
    assert len(chosen) == MAX_FITTED_USERS
    assert (chosen[0], chosen[-1]) == (0, 10 * MAX_FITTED_USERS - 1)
    assert np.diff(chosen).max() <= 11


def test_the_least_loss_is_found_among_positive_parameters() -> None:
    best = minimize_positive(lambda values: float(((values - [2.0, 30.0]) ** 2).sum()), np.ones(2))
    assert best == pytest.approx([2, 30], rel=1e-3)


def test_a_parameter_that_the_data_do_not_bound_stays_finite() -> None:
    assert minimize_positive(lambda values: -float(values[0]), np.ones(1)) <= LARGEST * 1.001
