import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.models.evaluation.metrics import Scores, measure
from ds_assets.core.models.evaluation.validation_curves import (
    TOP_SHARES,
    ValidationCurves,
    compute_curves,
)

users = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])),
    min_size=1,
    max_size=80,
).filter(lambda drawn: any(label for label, _ in drawn))


def curves_of(drawn: list[tuple[bool, float]]) -> ValidationCurves:
    labels = np.array([label for label, _ in drawn])
    scores = np.array([score for _, score in drawn])
    return compute_curves(labels, scores, {"delivered": scores})


def make_calibrated(users: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    probabilities = chance.beta(0.8, 2, users)
    return chance.random(users) < probabilities, probabilities


@given(users)
def test_bins_hold_every_user_once(drawn: list[tuple[bool, float]]) -> None:
    curves, positives = curves_of(drawn), sum(label for label, _ in drawn)
    assert sum(it.users for it in curves.reliability) == sum(curves.score_users) == len(drawn)
    assert sum(round(it.observed * it.users) for it in curves.reliability) == positives
    assert sum(curves.score_positives) == positives
    for it in curves.reliability:
        assert 0 <= it.low <= it.observed <= it.high <= 1
    predicted = [it.predicted for it in curves.reliability]
    assert predicted == sorted(predicted)


@given(users)
def test_gains_rise_from_nothing_to_everyone_and_equal_scores_count_in_proportion(
    drawn: list[tuple[bool, float]],
) -> None:
    gains = curves_of(drawn).gains["delivered"]
    assert gains[0] == 0.0
    assert gains[-1] == pytest.approx(1.0)
    assert list(gains) == sorted(gains)
    same = curves_of([(label, 0.5) for label, _ in drawn]).gains["delivered"]
    assert same == pytest.approx(TOP_SHARES)


def test_gains_agree_with_the_lift() -> None:
    labels, scores = make_calibrated()
    curves = compute_curves(labels, scores, {"delivered": scores})
    lift = measure(labels, {"delivered": Scores(scores)}, seed=0)["delivered"].lift_10
    assert curves.gain("delivered", 0.1) == pytest.approx(lift.value * 0.1)


def test_calibrated_probabilities_lie_in_the_intervals_and_others_do_not() -> None:
    labels, probabilities = make_calibrated()
    good, bad = (
        compute_curves(labels, scores, {}).reliability
        for scores in (probabilities, probabilities**3)
    )
    assert sum(it.low <= it.predicted <= it.high for it in good) >= 8
    assert sum(it.low <= it.predicted <= it.high for it in bad) <= 3
