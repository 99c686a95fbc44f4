import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.learning.bg_bb import (
    Beta,
    BgBb,
    alive_probability,
    coming_of,
    day_probability,
    day_probability_at,
    expected_days,
    fit_bg_bb,
    fit_shares,
    leaving_of,
    log_likelihood,
)
from ds_assets.core.models.learning.bg_nbd import Histories
from ds_assets_tests.core.models.learning.factories import PLAYERS, draw_days, histories_of_days

DAYS, HORIZON, WINDOW = 40, 14, 28


def one_history(x: float, t_x: float, t: float) -> Histories:
    return Histories(np.array([x]), np.array([t_x]), np.array([t]))


def history_of_dates(is_active: tuple[int, ...]) -> Histories:
    days = np.flatnonzero(is_active) + 1
    last = days[-1] if len(days) else 0
    return one_history(len(days), last, len(is_active))


@pytest.mark.parametrize("days", [1, 4, 7])
def test_the_probabilities_of_all_courses_of_some_days_add_up_to_1(days: int) -> None:
    courses = np.ndindex(*[2] * days)
    total = sum(float(np.exp(log_likelihood(PLAYERS, history_of_dates(it)))[0]) for it in courses)
    assert total == pytest.approx(1)


def test_a_day_ahead_is_as_likely_as_the_likelihoods_of_both_courses_say() -> None:
    history = one_history(3, 5, 9)
    longer = one_history(3, 5, 10)
    nothing = np.exp(log_likelihood(PLAYERS, longer) - log_likelihood(PLAYERS, history))
    alive = alive_probability(PLAYERS, history)
    coming, leaving = coming_of(PLAYERS, history), leaving_of(PLAYERS, history)
    assert alive * day_probability(coming, leaving, 1) == pytest.approx(1 - nothing)


def test_predictions_agree_with_what_simulated_users_do() -> None:
    days = draw_days(PLAYERS, 20_000, DAYS + HORIZON)
    histories, later = histories_of_days(days[:, :DAYS]), days[:, DAYS:]
    alive = alive_probability(PLAYERS, histories)
    coming, leaving = coming_of(PLAYERS, histories), leaving_of(PLAYERS, histories)
    chance = alive * day_probability(coming, leaving, HORIZON)
    assert chance.mean() == pytest.approx(later.any(axis=1).mean(), rel=0.03)
    number = alive * expected_days(coming, leaving, HORIZON)
    assert number.mean() == pytest.approx(later.sum(axis=1).mean(), rel=0.03)
    likely = chance > np.median(chance)
    assert chance[likely].mean() == pytest.approx(later[likely].any(axis=1).mean(), rel=0.03)


def test_a_fit_to_active_users_alone_finds_how_many_leave() -> None:
    days = draw_days(PLAYERS, 8_000, 2 * DAYS)
    histories = histories_of_days(days[:, :DAYS])
    is_active = histories.t - histories.t_x < WINDOW
    active = Histories(*(values[is_active] for values in histories))
    fitted = fit_bg_bb(active, WINDOW)
    alive = alive_probability(fitted, active)
    chance = day_probability(coming_of(fitted, active), leaving_of(fitted, active), DAYS)
    happened = days[is_active, DAYS:].any(axis=1)
    assert (alive * chance).mean() == pytest.approx(happened.mean(), rel=0.04)


def test_a_share_is_found_that_differs_between_users() -> None:
    rng = np.random.default_rng(0)
    trials = rng.integers(1, 20, 5_000).astype(float)
    hits = rng.binomial(trials.astype(int), rng.beta(0.4, 3.0, len(trials))).astype(float)
    fitted = fit_shares(hits, trials)
    assert fitted.mean == pytest.approx(0.4 / 3.4, rel=0.1)
    assert fitted.a == pytest.approx(0.4, rel=0.2)


@given(st.floats(0.1, 50), st.floats(0.1, 50), st.floats(0.1, 50), st.floats(0.1, 50))
def test_a_product_has_the_product_of_the_means(a: float, b: float, c: float, d: float) -> None:
    product = Beta(a, b).times(Beta(c, d))
    assert product.mean == pytest.approx(a / (a + b) * c / (c + d))
    assert product.mean_square == pytest.approx(Beta(a, b).mean_square * Beta(c, d).mean_square)


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.integers(1, 60))
def test_probabilities_are_probabilities_and_grow_with_the_horizon(
    x: int, more: int, pause: int, days: int
) -> None:
    history = one_history(x, x + more if x else 0, x + more + pause)
    coming, leaving = coming_of(PLAYERS, history), leaving_of(PLAYERS, history)
    soon, later = (day_probability(coming, leaving, it)[0] for it in (days, 2 * days))
    assert 0 <= soon <= later <= 1
    assert 0 <= alive_probability(PLAYERS, history)[0] <= 1
    surely = day_probability_at(np.ones(1), leaving, days)[0]
    assert soon <= surely + 1e-12


def test_users_who_leave_at_once_or_never_are_both_possible() -> None:
    history = one_history(2, 4, 10)
    stays, leaves = BgBb(1, 1, 1e-4, 1e6), BgBb(1, 1, 1e6, 1e-4)
    assert alive_probability(stays, history) == pytest.approx([1], abs=1e-3)
    assert alive_probability(leaves, history) == pytest.approx([0], abs=1e-3)
