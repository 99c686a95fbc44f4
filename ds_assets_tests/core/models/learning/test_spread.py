"""How payers differ from what is expected of them: quantiles, a heavy tail, and intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.learning.spread import (
    COVERAGE,
    LEVELS,
    MIN_INDEX,
    PRIOR_INDEX,
    TAIL_SHARE,
    Spread,
    fit_spread,
)


def make_spread(index: float = 2.0) -> Spread:
    return Spread(quantiles=tuple(map(float, np.linspace(0.2, 3.0, len(LEVELS)))), tail_index=index)


def draw_pareto(index: float, rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).pareto(index, rows) + 1


@pytest.mark.parametrize("index", [1.6, 2.5, 4.0])
def test_the_tail_index_of_a_pareto_distribution_is_found(index: float) -> None:
    spread = fit_spread(draw_pareto(index, 100_000), np.ones(100_000))
    assert spread.tail_index == pytest.approx(index, rel=0.05)
    assert spread.threshold == pytest.approx(TAIL_SHARE ** (-1 / index), rel=0.03)


def test_quantiles_continue_beyond_the_threshold_as_the_distribution_does() -> None:
    index, levels = 1.6, np.array([0.1, 0.5, 0.9, 0.99, 0.999])
    spread = fit_spread(draw_pareto(index, 100_000), np.ones(100_000))
    np.testing.assert_allclose(spread.quantile(levels), (1 - levels) ** (-1 / index), rtol=0.1)


def test_the_excess_is_the_mean_of_what_lies_beyond_the_threshold() -> None:
    spend = draw_pareto(3.0, 200_000)
    spread = fit_spread(spend, np.ones(200_000))
    beyond = spend[spend > spread.threshold] - spread.threshold
    assert spread.mean_excess == pytest.approx(beyond.mean(), rel=0.05)


def test_few_payers_and_impossible_means_do_not_run_away() -> None:
    assert fit_spread(np.ones(50), np.ones(50)).tail_index == pytest.approx(PRIOR_INDEX)
    few = fit_spread(np.array([1.0] * 49 + [100.0]), np.ones(50))
    many = fit_spread(draw_pareto(0.5, 10_000), np.ones(10_000))
    assert MIN_INDEX < few.tail_index < PRIOR_INDEX
    assert many.tail_index == MIN_INDEX


def test_amounts_near_nothing_are_no_ratios() -> None:
    spend, amounts = np.full(1_000, 2.0), np.ones(1_000)
    amounts[:100] = 1e-9
    assert fit_spread(spend, amounts).quantiles == (2.0,) * len(LEVELS)


def test_multiples_of_larger_amounts_are_smaller() -> None:
    spread = make_spread()
    assert spread.divided(2.0).threshold == spread.threshold / 2
    assert spread.divided(2.0).tail_index == spread.tail_index


@pytest.mark.parametrize("chance", [0.05, 0.3, 0.6, 0.89, 0.91, 0.97, 1.0])
def test_an_interval_contains_what_it_promises(chance: float) -> None:
    """Where no purchase is likelier than that, the interval is 0 alone, which is still right."""
    spread, rows = make_spread(), 100_000
    drawn = np.random.default_rng(1)
    amounts = drawn.lognormal(1, 1, rows)
    spend = np.where(
        drawn.random(rows) < chance, amounts * spread.quantile(drawn.random(rows)), 0.0
    )
    low, high = spread.interval(np.full(rows, chance), amounts)
    inside = float(np.mean((low <= spend) & (spend <= high)))
    assert inside == pytest.approx(max(COVERAGE, 1 - chance), abs=0.01)
    if chance > 0.9:
        assert float(np.mean(spend < low)) == pytest.approx(0.1, abs=0.01)


@given(
    st.floats(0, 1),
    st.floats(0, 1e9),
    st.floats(MIN_INDEX, 100),
    st.lists(st.floats(0, 1e6), min_size=len(LEVELS), max_size=len(LEVELS)),
)
def test_an_interval_is_never_reversed_and_always_finite(
    chance: float, amount: float, index: float, quantiles: list[float]
) -> None:
    spread = Spread(quantiles=tuple(sorted(quantiles)), tail_index=index)
    (low,), (high,) = spread.interval(np.array([chance]), np.array([amount]))
    assert 0.0 <= low <= high < np.inf
