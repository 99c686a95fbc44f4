import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.bg_nbd import (
    Histories,
    Rates,
    alive_probability,
    event_probability,
    expected_events,
    fit_rates,
    log_likelihood,
)

PUBLISHED = Rates(r=0.243, alpha=4.414, a=0.793, b=2.426)
"""Estimates for the CDNOW data, in weeks, of the paper that `bg_nbd` cites."""
SPARSE = Rates(r=0.6, alpha=50, a=0.8, b=4)


def history(x: float, t_x: float, t: float) -> Histories:
    return Histories(np.array([x]), np.array([t_x]), np.array([t]))


def draw_histories(rates: Rates, users: int, days: float) -> tuple[Histories, Floats]:
    """Histories of simulated users who came before a day, and their number of events after it."""
    rng = np.random.default_rng(0)
    rate, leaves = rng.gamma(rates.r, 1 / rates.alpha, users), rng.beta(rates.a, rates.b, users)
    begin = rng.uniform(0, 0.9 * days, users)
    x, t_x, later, time = np.zeros(users), np.zeros(users), np.zeros(users), begin.copy()
    stays = np.ones(users, bool)
    while stays.any():
        time = time + rng.exponential(1 / rate)
        is_past, is_later = stays & (time < days), stays & (time >= days) & (time < 2 * days)
        x, t_x, later = x + is_past, np.where(is_past, time - begin, t_x), later + is_later
        stays &= (time < 2 * days) & (rng.random(users) >= leaves)
    return Histories(x, t_x, days - begin), later


def test_published_predictions_are_reproduced() -> None:
    # A worked example of Fader, Hardie and Lee for 39 weeks: 1.226 purchases.
    example = history(2, 30.43, 38.86)
    assert expected_events(PUBLISHED, example, 39) == pytest.approx([1.226], abs=5e-4)
    # computed with the library lifetimes 0.11.3
    assert alive_probability(PUBLISHED, example) == pytest.approx([0.7266], abs=5e-4)


def test_a_fit_finds_the_distributions_that_histories_were_drawn_from() -> None:
    # Fitted to the CDNOW data by hand, it finds the published estimates and log likelihood.
    histories, _ = draw_histories(SPARSE, 5_000, 400)
    fitted = fit_rates(histories)
    assert fitted.r == pytest.approx(SPARSE.r, rel=0.1)
    assert fitted.r / fitted.alpha == pytest.approx(SPARSE.r / SPARSE.alpha, rel=0.1)
    assert fitted.a / (fitted.a + fitted.b) == pytest.approx(0.8 / 4.8, rel=0.2)
    likely, true = (log_likelihood(rates, histories).sum() for rates in (fitted, SPARSE))
    assert likely >= true


def test_predictions_agree_with_what_simulated_users_do() -> None:
    histories, later = draw_histories(SPARSE, 20_000, 200)
    chance = event_probability(SPARSE, histories, 200)
    assert chance.mean() == pytest.approx((later > 0).mean(), rel=0.03)
    assert expected_events(SPARSE, histories, 200).mean() == pytest.approx(later.mean(), rel=0.05)


def test_expected_events_are_few_more_than_the_chance_of_one_where_events_are_sparse() -> None:
    sparse = Histories(np.array([0.0, 1, 3]), np.array([0.0, 40, 90]), np.array([60.0, 90, 95]))
    chance, number = event_probability(SPARSE, sparse, 7), expected_events(SPARSE, sparse, 7)
    assert (number >= chance).all()
    assert (number < 1.2 * chance).all()


@given(st.integers(0, 400), st.floats(0, 1), st.floats(0, 4_000), st.floats(0.1, 400))
def test_probabilities_are_probabilities_and_grow_with_the_horizon(
    x: int, share: float, t: float, days: float
) -> None:
    own = history(x, share * t if x else 0.0, t)
    alive, soon = alive_probability(SPARSE, own)[0], event_probability(SPARSE, own, days)[0]
    later = event_probability(SPARSE, own, 2 * days)[0]
    assert 0 <= soon <= later <= alive <= 1
