"""How a model is made, chosen by what happened on later days."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import TrainingWindow
from ds_assets.core.models.data.snapshots import Fold, LabelledSnapshot
from ds_assets.core.models.evaluation.metrics import log_losses
from ds_assets.core.models.inference.onnx_model import load_prediction_model, probabilities
from ds_assets.core.models.learning.calibration import (
    LEVEL_SNAPSHOTS,
    fit_slope,
    recency_weights,
    sigmoid,
)
from ds_assets.core.models.learning.learner import FittedClassifier, fit_classifier
from ds_assets.core.models.training import challenger, group_models
from ds_assets.core.models.training.challenger import Challenger, make_challenger, trim_history
from ds_assets.core.models.training.train import train
from ds_assets_tests.core.factories import FIRST_DAY, Rule, make_small_snapshots, make_target

pytestmark = pytest.mark.usefixtures("few_trees")


def weeks(count: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(weeks=count)


def steady(_: int) -> Rule:
    return lambda features: 3 * features["x"]


def changing(last_old_week: int) -> Callable[[int], Rule]:
    """What meant leaving means staying afterwards."""
    return lambda week: lambda features: (3 if week <= last_old_week else -3) * features["x"]


def rising(week: int) -> Rule:
    """Each week more leave, so that a model of the weeks before always says too little."""
    return lambda features: features["x"] + 0.35 * week - 2


def flipped(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    return replace(snapshot, labels=~snapshot.labels)


def test_a_steady_game_is_remembered_whole() -> None:
    trained_challenger = make_challenger(make_small_snapshots(10, steady), seed=0)
    assert trained_challenger.choices.memory.snapshots is None
    assert set(trained_challenger.choices.memory.differences) == {4, 2}
    assert all(
        difference.high > 0 for difference in trained_challenger.choices.memory.differences.values()
    )
    assert [len(validated.fold.training) for validated in trained_challenger.validated] == [8, 7, 6]


def test_a_game_that_has_changed_is_remembered_since_then() -> None:
    trained_challenger = make_challenger(make_small_snapshots(11, changing(4)), seed=0)
    assert trained_challenger.choices.memory.snapshots == 2
    assert trained_challenger.choices.memory.differences[2].high < 0
    assert [len(validated.fold.training) for validated in trained_challenger.validated] == [2, 2, 2]
    latest = trained_challenger.validated[0]
    assert [snapshot.day for snapshot in latest.fold.training] == [weeks(7), weeks(8)]
    labels = latest.validation.labels
    assert latest.probabilities[labels].mean() > latest.probabilities[~labels].mean() + 0.3


def test_a_shorter_memory_than_there_is_history_is_not_tried() -> None:
    trained_challenger = make_challenger(make_small_snapshots(7, steady), seed=0)
    assert set(trained_challenger.choices.memory.differences) == {2}  # of three


def test_the_memory_keeps_the_latest() -> None:
    snapshots = make_small_snapshots(5, steady, users=5)
    fold = Fold(tuple(snapshots[:4]), snapshots[4])
    kept = trim_history(fold, TrainingWindow(snapshots=2, differences={}))
    assert kept == Fold(tuple(snapshots[2:4]), snapshots[4])
    assert trim_history(fold, TrainingWindow(snapshots=None, differences={})) == fold


def risen_once(week: int) -> Rule:
    """From week 8 on, and for good, more leave."""
    return lambda features: features["x"] + (-2.0 if week < 8 else -0.8)


def test_a_level_that_rose_once_is_corrected_once() -> None:
    """What the model of older weeks said too little is not added to a model of the new ones."""
    *snapshots, future = make_small_snapshots(14, risen_once, users=3_000)
    model = train(make_target(), weeks(13), snapshots[:12])
    assert model.onnx is not None
    stored = load_prediction_model(model.onnx, model.parts, model.card)
    predicted = probabilities(stored, future.features)
    assert predicted.mean() == pytest.approx(future.labels.mean(), rel=0.07)
    base_rate = np.full(3_000, future.labels.mean())
    outcomes = future.outcomes
    assert log_losses(outcomes, predicted).mean() < log_losses(outcomes, base_rate).mean()


def test_a_level_is_followed_where_the_horizon_is_too_long_for_choices() -> None:
    """Six weeks of the eight that are trained on lie before the change."""
    *snapshots, future = make_small_snapshots(
        14, lambda week: risen_once(week + 2), users=3_000, horizon=35
    )
    model = train(make_target(horizon=35), weeks(13), snapshots[:8])
    assert model.onnx is not None
    assert model.card.chosen_on is None
    stored = load_prediction_model(model.onnx, model.parts, model.card)
    predicted = probabilities(stored, future.features)
    everything = np.mean([snapshot.labels.mean() for snapshot in snapshots[:8]])
    came = future.labels.mean()
    assert abs(predicted.mean() - came) < abs(everything - came) / 2


def test_the_mean_of_each_fold_follows_the_latest_of_its_training_snapshots() -> None:
    trained_challenger = make_challenger(make_small_snapshots(10, rising, users=600), seed=0)
    for fold in trained_challenger.validated:
        rows = fold.training.chosen(fold.training.ages < LEVEL_SNAPSHOTS)
        weights = recency_weights(rows.ages)
        predicted = sigmoid(fold.ensemble.whole.log_odds(rows.matrix))
        assert weights @ predicted == pytest.approx(weights @ rows.labels)
        assert len(set(fold.training.ages)) == len(fold.fold.training)


def test_a_group_has_a_level_of_its_own() -> None:
    def opposite(_: int) -> Rule:
        return lambda features: 3 * features["x"] * features["side"] + features["side"]

    snapshots = make_small_snapshots(5, opposite, users=600, groups="clusters")
    for fold in make_challenger(snapshots, seed=0).validated:
        for group, own in fold.ensemble.groups.items():
            rows = fold.training.of_group(group)
            weights = recency_weights(rows.ages)
            predicted = sigmoid(own.log_odds(rows.matrix))
            assert weights @ predicted == pytest.approx(weights @ rows.labels)


def test_the_slope_is_fitted_to_a_model_that_was_made_the_same_way() -> None:
    trained_challenger = make_challenger(make_small_snapshots(10, steady), seed=0)
    latest, *earlier = trained_challenger.validated
    fold = trained_challenger.choices.fold
    assert fold is not None
    assert latest.ensemble.whole.line.slope == fit_slope(fold.log_odds, fold.validation.labels)
    plain = latest.calibrated(1.0)
    assert trained_challenger.slope == fit_slope(plain.log_odds, latest.validation.labels)
    assert {other.ensemble.whole.line.slope for other in (fold, *earlier)} == {1.0}


def test_without_an_earlier_fold_the_slope_is_one() -> None:
    trained_challenger = make_challenger(make_small_snapshots(3, rising), seed=0)
    (latest,) = trained_challenger.validated
    assert latest.ensemble.whole.line.slope == 1


@pytest.mark.parametrize("horizon", [14, 20])
def test_a_fold_is_calibrated_by_outcomes_that_were_known_on_its_day(
    horizon: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events after the validation day, in windows of later snapshots, change nothing."""
    monkeypatch.setattr(challenger, "SHORTER_WINDOWS", ())
    snapshots = make_small_snapshots(12, rising, users=600, horizon=horizon)
    first = make_challenger(snapshots, seed=0)
    latest = first.validated[0]
    day = latest.fold.validation.day
    assert day == weeks(11)
    assert latest.ensemble.whole.line.slope != 1
    changed = [
        flipped(snapshot) if snapshot.day < day < snapshot.matured_on else snapshot
        for snapshot in snapshots
    ]
    second = make_challenger(changed, seed=0).validated[0]
    np.testing.assert_array_equal(second.log_odds, latest.log_odds)
    assert second.ensemble.whole.line == latest.ensemble.whole.line


def choices(snapshots: Sequence[LabelledSnapshot]) -> Challenger:
    return make_challenger(snapshots, seed=0)


def test_no_model_is_trained_on_labels_of_its_validation_days() -> None:
    trained_challenger = choices(make_small_snapshots(8, steady))
    for validated in trained_challenger.validated:
        assert all(
            part.matured_on <= validated.fold.validation.day for part in validated.fold.training
        )


def test_folds_without_enough_users_are_left_out() -> None:
    snapshots = make_small_snapshots(7, steady)
    nobody_left = pd.Series(np.zeros(400, dtype=bool), index=snapshots[5].labels.index)
    snapshots[5] = replace(snapshots[5], labels=nobody_left)
    trained_challenger = choices(snapshots)
    assert [validated.fold.validation.day for validated in trained_challenger.validated] == [
        weeks(6),
        weeks(4),
    ]


def test_validation_users_beyond_the_most_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(challenger, "MAX_VALIDATION_ROWS", 200)
    trained_challenger = choices(make_small_snapshots(4, steady))
    assert 120 < len(trained_challenger.validated[0].validation.labels) < 280
    assert len(trained_challenger.validated[0].training.labels) == 800


def test_winning_groups_have_models_in_every_fold() -> None:
    def opposite(_: int) -> Rule:
        def rule(features: pd.DataFrame) -> Floats:
            return np.asarray(3 * features["x"] * features["side"])

        return rule

    trained_challenger = choices(make_small_snapshots(5, opposite, users=600, groups="clusters"))
    assert set(trained_challenger.choices.contest.winners) == {"cluster=1", "cluster=2"}
    for validated in trained_challenger.validated:
        assert set(validated.ensemble.groups) == {"cluster=1", "cluster=2"}
    assert trained_challenger.choices.fold is not None
    assert (
        trained_challenger.choices.fold.ensemble.groups
        == trained_challenger.choices.contest.winners
    )


@pytest.mark.parametrize(("most", "expected"), [(10_000, 500), (300, 300)])
def test_models_that_are_compared_are_fitted_to_few_rows(
    most: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = set()

    def fit(*args: Any, **facts: Any) -> FittedClassifier:
        limits.add(args[4])
        return fit_classifier(*args, **facts)

    monkeypatch.setattr(group_models, "fit_classifier", fit)
    monkeypatch.setattr(challenger, "MAX_CHOICE_ROWS", 500)
    make_challenger(make_small_snapshots(5, steady, 600, groups="clusters"), 0, most)
    assert limits == {expected}
