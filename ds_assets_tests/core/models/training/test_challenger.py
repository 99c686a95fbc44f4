"""How a model is made, chosen by what happened on later days."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.card.model_card import TrainingWindow
from ds_assets.core.models.data.snapshots import Fold, LabelledSnapshot
from ds_assets.core.models.learning.calibration import UNCHANGED
from ds_assets.core.models.training import challenger
from ds_assets.core.models.training.challenger import Challenger, make_challenger, trim_history
from ds_assets_tests.core.factories import FIRST_DAY, Rule, make_small_snapshots

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


def test_probabilities_that_are_always_too_low_are_calibrated() -> None:
    trained_challenger = make_challenger(make_small_snapshots(10, rising, users=600), seed=0)
    card = trained_challenger.calibration
    assert card.reason.startswith("yes")
    assert card.gain is not None
    assert card.gain.high < 0
    assert card.line.intercept > 0.2
    latest = trained_challenger.validated[0]
    assert latest.calibration not in (UNCHANGED, card.line)
    raw = 1 / (1 + np.exp(-latest.raw))
    share = latest.validation.labels.mean()
    assert abs(latest.probabilities.mean() - share) < abs(raw.mean() - share)


def test_calibrated_probabilities_are_left_as_they_are() -> None:
    trained_challenger = make_challenger(make_small_snapshots(8, steady), seed=0)
    assert trained_challenger.calibration.line == UNCHANGED
    assert trained_challenger.calibration.gain is not None
    assert "no better beyond noise" in trained_challenger.calibration.reason
    assert all(validated.calibration == UNCHANGED for validated in trained_challenger.validated)


def test_one_judged_snapshot_cannot_be_calibrated() -> None:
    trained_challenger = make_challenger(make_small_snapshots(3, rising), seed=0)
    assert len(trained_challenger.validated) == 1
    assert trained_challenger.calibration.gain is None
    assert trained_challenger.calibration.line == UNCHANGED
    assert (
        trained_challenger.calibration.reason == "no: there is no earlier snapshot to fit a line to"
    )


@pytest.mark.parametrize("horizon", [14, 20])
def test_a_line_is_fitted_to_outcomes_that_were_known_on_the_day(
    horizon: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events after the validation day, in windows of later snapshots, change nothing."""
    monkeypatch.setattr(challenger, "SHORTER_WINDOWS", ())
    snapshots = make_small_snapshots(12, rising, users=600, horizon=horizon)
    first = make_challenger(snapshots, seed=0)
    latest = first.validated[0]
    day = latest.fold.validation.day
    assert day == weeks(11)
    assert latest.calibration != UNCHANGED
    changed = [
        flipped(snapshot) if snapshot.day < day < snapshot.matured_on else snapshot
        for snapshot in snapshots
    ]
    second = make_challenger(changed, seed=0).validated[0]
    np.testing.assert_array_equal(second.raw, latest.raw)
    assert second.calibration == latest.calibration


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
        weeks(2),
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
