import numpy as np
import pytest

from benchmarks.bench_uplift import COSTS, GAMES, true_area
from benchmarks.uplift_trials import SHAPES, simulate_trial


@pytest.mark.parametrize("name", SHAPES)
def test_a_trial_measures_its_true_effect(name: str) -> None:
    simulated = simulate_trial(SHAPES[name], 200_000, seed=0)
    trial, share = simulated.trial, SHAPES[name].treated
    assert trial.treated.mean() == pytest.approx(share, abs=0.01)
    difference = trial.wanted[trial.treated].mean() - trial.wanted[~trial.treated].mean()
    assert difference == pytest.approx(simulated.effects.mean(), abs=0.01)


def test_a_rare_outcome_is_rare() -> None:
    assert simulate_trial(SHAPES["advertising"], 50_000, seed=0).trial.wanted.mean() < 0.006


def test_players_of_the_four_types_gain_and_lose() -> None:
    effects = simulate_trial(SHAPES["four types"], 10_000, seed=0).effects
    assert effects.min() < -0.2
    assert effects.max() > 0.3


def test_the_truth_ranks_best_and_its_reverse_worst() -> None:
    effects = np.random.default_rng(0).normal(size=500)
    assert true_area(effects, effects) == pytest.approx(1)
    assert true_area(-effects, effects) == pytest.approx(-1, abs=0.02)


def test_there_are_a_hundred_games_each_with_a_cost() -> None:
    assert sum(GAMES.values()) == 100
    assert GAMES.keys() == COSTS.keys() == SHAPES.keys()
