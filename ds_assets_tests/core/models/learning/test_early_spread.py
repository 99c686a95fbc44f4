"""What single users will spend, drawn from the early model."""

import numpy as np
import pytest

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.learning.bg_bb import Beta, day_probability, expected_days
from ds_assets.core.models.learning.early_spread import Buyers, draw_spend, fit_early_spread
from ds_assets.core.models.learning.gamma_gamma import Amounts, expected_amounts

USERS, HORIZON = 20_000, 30
AMOUNTS = Amounts(p=6.0, q=4.0, gamma=15.0)


def make_buyers(users: int = USERS) -> Buyers:
    """Some have bought often, others never."""
    bought: Floats = np.arange(users).astype(np.float64) % 5.0
    return Buyers(
        alive=np.linspace(0.3, 1.0, users),
        buying=Beta(0.4 + bought, np.full(users, 20.0)),
        leaving=Beta(0.4, np.full(users, 30.0)),
        number=bought,
        total=bought * 20.0,
    )


def expected_of(buyers: Buyers) -> tuple[Floats, Floats]:
    """Probability of a purchase, and expected spend."""
    chance = buyers.alive * day_probability(buyers.buying, buyers.leaving, HORIZON)
    likely = expected_amounts(AMOUNTS, buyers.number, buyers.total)
    days = expected_days(buyers.buying, buyers.leaving, HORIZON)
    return chance, buyers.alive * days * likely


def test_draws_agree_with_chance_and_expected_spend() -> None:
    buyers = make_buyers()
    chance, expected = expected_of(buyers)
    spend = draw_spend(buyers, AMOUNTS, HORIZON, np.random.default_rng(1))
    assert (spend > 0).mean() == pytest.approx(chance.mean(), rel=0.03)
    assert spend.mean() == pytest.approx(expected.mean(), rel=0.05)
    bought_often = buyers.number == 4
    assert spend[bought_often].mean() == pytest.approx(expected[bought_often].mean(), rel=0.07)


def test_intervals_contain_four_of_five_futures() -> None:
    buyers = make_buyers()
    chance, expected = expected_of(buyers)
    spread = fit_early_spread(buyers, AMOUNTS, expected / chance, HORIZON)
    assert spread is not None
    low, high = spread.interval(chance, expected / chance)
    spend = draw_spend(buyers, AMOUNTS, HORIZON, np.random.default_rng(2))
    assert np.mean((low <= spend) & (spend <= high)) == pytest.approx(0.8, abs=0.02)


def test_the_spread_is_repeatable_and_takes_a_few_users() -> None:
    buyers = make_buyers(7)
    chance, expected = expected_of(buyers)
    spreads = [fit_early_spread(buyers, AMOUNTS, expected / chance, HORIZON) for _ in range(2)]
    assert spreads[0] == spreads[1]
    assert spreads[0] is not None


def test_users_who_have_all_left_have_no_spread() -> None:
    buyers = make_buyers()._replace(alive=np.zeros(USERS))
    assert fit_early_spread(buyers, AMOUNTS, np.ones(USERS), HORIZON) is None
