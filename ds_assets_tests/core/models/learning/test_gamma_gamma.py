import numpy as np
import pytest

from ds_assets.core.models.learning.gamma_gamma import Amounts, expected_amounts, fit_amounts

PUBLISHED = Amounts(p=6.25, q=3.74, gamma=15.44)
"""Estimates for the CDNOW data of the note that `gamma_gamma` cites."""


def test_published_predictions_are_reproduced() -> None:
    # Customers with two purchases of 22.35 on average, with one of 11.77, and with none; the
    # values are those of the library lifetimes 0.11.3, with its unrounded estimates.
    number, mean = np.array([2.0, 1.0, 0.0]), np.array([22.35, 11.77, 0.0])
    likely = expected_amounts(PUBLISHED, number, number * mean)
    assert likely == pytest.approx([24.66, 18.91, 35.17], abs=0.06)


def test_a_fit_finds_the_distributions_that_amounts_were_drawn_from() -> None:
    # Fitted to the CDNOW data by hand, it finds the published estimates.
    rng = np.random.default_rng(0)
    number = rng.integers(1, 6, 5_000).astype(float)
    scale = 1 / rng.gamma(PUBLISHED.q, 1 / PUBLISHED.gamma, len(number))
    total = rng.gamma(PUBLISHED.p * number, scale)
    fitted = fit_amounts(number, total)
    assert fitted is not None
    assert fitted == pytest.approx(PUBLISHED, rel=0.15)


def test_the_mean_of_a_few_amounts_is_drawn_towards_that_of_all_users() -> None:
    number = np.array([1.0, 20.0])
    few, many = expected_amounts(PUBLISHED, number, 200 * number)
    assert 35 < few < many < 200


@pytest.mark.parametrize("number", [0.0, 1.0])
def test_amounts_of_0_have_no_distribution(number: float) -> None:
    assert fit_amounts(np.array([number]), np.zeros(1)) is None
