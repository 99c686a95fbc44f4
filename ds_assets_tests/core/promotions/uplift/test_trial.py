import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.promotions.uplift.trial import FOLDS, effect_scores, folds_of, sample_users
from ds_assets_tests.core.promotions.uplift.factories import make_trial, true_effects


@given(st.lists(st.text(max_size=8), max_size=30))
def test_all_rows_of_a_user_are_in_the_same_fold(users: list[str]) -> None:
    folds = folds_of([*users, *users])
    assert (folds[: len(users)] == folds[len(users) :]).all()
    assert ((folds >= 0) & (folds < FOLDS)).all()


def test_folds_are_about_equally_large() -> None:
    counts = np.bincount(folds_of(range(10_000)), minlength=FOLDS)
    assert counts.min() > 1_800


def test_every_row_is_applied_to_in_exactly_one_split() -> None:
    trial = make_trial(rows=100)
    inside = np.sum([rows for _, rows in trial.splits()], axis=0)
    assert (inside == 1).all()
    assert all(not (training & rows).any() for training, rows in trial.splits())


@pytest.mark.parametrize("guess", [0.0, 0.5, 0.9])
def test_the_mean_score_is_the_average_effect_whatever_the_models_say(guess: float) -> None:
    trial = make_trial(rows=60_000, treated_share=0.8)
    wrong = np.full(len(trial), guess)
    scores = effect_scores(trial, trial.wanted.astype(float), wrong, wrong)
    assert scores.mean() == pytest.approx(true_effects(trial).mean(), abs=0.03)


def test_scores_of_better_models_vary_less() -> None:
    trial = make_trial(rows=5_000)
    happened, effects = trial.wanted.astype(float), true_effects(trial)
    without = np.full(len(trial), 0.4)
    right = effect_scores(trial, happened, without, without + effects)
    wrong = effect_scores(trial, happened, np.zeros(len(trial)), np.zeros(len(trial)))
    assert right.std() < wrong.std()


def test_selecting_rows_selects_all_that_is_known_of_them() -> None:
    trial = make_trial(rows=50)
    chosen = trial.rows(np.arange(50) < 20)
    assert len(chosen) == len(chosen.wanted) == len(chosen.matrix) == 20
    assert chosen.spend is not None
    assert len(chosen.spend) == len(chosen.propensity) == len(chosen.folds) == 20
    assert chosen.row_weights.sum() == 20


@given(st.integers(1, 400))
def test_a_sample_is_about_as_large_as_asked_for_and_the_same_whenever_it_is_drawn(
    most: int,
) -> None:
    users = [f"user {number}" for number in range(400)]
    sample = sample_users(users, most)
    assert (sample_users(users[::-1], most)[::-1] == sample).all()
    assert abs(sample.sum() - most) <= 5 * np.sqrt(most)
    assert (sample <= sample_users(users, most + 50)).all()


def test_few_users_are_all_in_a_sample() -> None:
    assert sample_users(["a", "b"], 2).all()
    assert sample_users([], 2).tolist() == []
