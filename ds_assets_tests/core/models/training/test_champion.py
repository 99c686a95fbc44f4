"""Yesterday's model: whether it can stay, and what may validate it."""

import datetime as dt
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.cards import ModelFiles, card_text
from ds_assets.core.models.arrays import Floats, Labels
from ds_assets.core.models.card.model_card import VALIDATION_MODEL, VALIDATION_PREFIX
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.inference.onnx_model import (
    load_earlier_model,
    load_prediction_model,
    probabilities,
)
from ds_assets.core.models.training.champion import (
    Champion,
    decide,
    leakage_reason,
    read_champion,
    score_validation,
    unfit,
)
from ds_assets.core.models.training.plan import TrainedModel
from ds_assets.core.models.training.train import train
from ds_assets.errors import InputError
from ds_assets_tests.core.factories import FIRST_DAY, make_small_snapshots, make_target

pytestmark = pytest.mark.usefixtures("few_trees")

TARGET = make_target()


def weeks(count: int) -> dt.date:
    return FIRST_DAY + dt.timedelta(weeks=count)


@cache
def snapshots() -> tuple[LabelledSnapshot, ...]:
    return tuple(make_small_snapshots(8, lambda _: lambda features: 3 * features["x"]))


@cache
def model() -> TrainedModel:
    """Trained in week 7, on snapshots of the weeks 0 to 5, and validated on that of week 5."""
    return train(TARGET, weeks(7), snapshots()[:6])


def champion(**changes: Any) -> Champion:
    trained_model = model()
    files = ModelFiles(
        card_text(trained_model.card), trained_model.onnx, tuple(trained_model.parts.items())
    )
    return Champion(trained_model.card.model_copy(update=changes), files)


def test_a_champion_is_read_from_its_files() -> None:
    assert read_champion(champion().files, weeks(7)) == champion()


def test_a_damaged_card_is_named_with_its_day() -> None:
    with pytest.raises(InputError, match="of 2024-02-19"):
        read_champion(replace(champion().files, card="{"), weeks(7))


def test_a_champion_of_the_same_target_can_stay() -> None:
    assert unfit(champion(), TARGET, snapshots()[7].features) is None
    assert unfit(champion(), TARGET, None) is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"name": "payment"}, "the champion predicts churn in 14 days"),
        ({"horizon": 7}, "the champion predicts churn in 14 days"),
        ({"user_groups": "country"}, "the champion's user groups are none"),
    ],
)
def test_a_champion_of_another_target_cannot_stay(target: dict[str, Any], reason: str) -> None:
    assert unfit(champion(), make_target(**target), snapshots()[7].features) == reason


def test_a_champion_that_cannot_read_the_features_cannot_stay_and_names_them_all() -> None:
    features = snapshots()[7].features.drop(columns="z").assign(x="high")
    reason = unfit(champion(), TARGET, features)
    assert reason is not None
    assert reason.startswith("the champion cannot read the features: ")
    assert "x: found text" in reason
    assert "z: missing" in reason


def test_a_champion_that_knew_nothing_of_the_validation_days_is_scored_itself() -> None:
    scores = score_validation(champion(), snapshots()[7])
    trained_model = model()
    assert trained_model.onnx is not None
    stored = load_prediction_model(trained_model.onnx, trained_model.parts, trained_model.card)
    np.testing.assert_array_equal(scores, probabilities(stored, snapshots()[7].features))


@pytest.mark.parametrize("week", [5, 6])
def test_a_champion_that_was_trained_later_is_judged_by_its_twin(week: int) -> None:
    validation = snapshots()[week]
    scores = score_validation(champion(), validation)
    twin = load_earlier_model(VALIDATION_PREFIX, model().parts, model().card)
    np.testing.assert_array_equal(scores, probabilities(twin, validation.features))
    trained_model = model()
    assert trained_model.onnx is not None
    stored = load_prediction_model(trained_model.onnx, trained_model.parts, trained_model.card)
    assert (scores != probabilities(stored, validation.features)).any()


def test_the_twin_is_what_could_be_trained_on_its_day() -> None:
    """Of the snapshots of the weeks 0 to 3, whose outcomes were known in week 5, and no others.

    What happened to a few later on decides between other ways of making it no more than it did.
    """

    def other(labels: pd.Series) -> pd.Series:
        return labels.where(np.arange(len(labels)) % 20 > 0, ~labels)

    changed = [
        snapshot
        if snapshot.matured_on <= weeks(5)
        else replace(snapshot, labels=other(snapshot.labels))
        for snapshot in snapshots()[:6]
    ]
    assert model().card.twin_trained == weeks(5)
    assert (
        train(TARGET, weeks(7), changed).parts[VALIDATION_MODEL] == model().parts[VALIDATION_MODEL]
    )


@pytest.mark.parametrize(
    ("week", "is_independent"),
    [(7, True), (6, True), (5, True), (4, True), (3, True), (2, False), (0, False)],
)
def test_a_champion_is_not_validated_on_days_that_all_of_its_models_have_seen(
    week: int, is_independent: bool
) -> None:
    reason = leakage_reason(champion(), snapshots()[week])
    assert (reason is None) is is_independent
    if not is_independent:
        assert reason == (
            f"the champion has seen what happened after the validation snapshot {weeks(week)}"
        )


def test_a_champion_without_a_twin_is_judged_by_later_days_alone() -> None:
    without = champion(twin_trained=None, chosen_on=None)
    assert leakage_reason(without, snapshots()[7]) is None
    assert leakage_reason(without, snapshots()[6]) is not None


def test_a_missing_twin_is_named() -> None:
    without = champion()
    without = replace(without, files=replace(without.files, parts=()))
    with pytest.raises(InputError, match=r"twin_model\.onnx of model .* is missing"):
        score_validation(without, snapshots()[5])


def drawn(users: int = 2_000) -> tuple[Labels, Floats]:
    chance = np.random.default_rng(0)
    probabilities = chance.random(users)
    return chance.random(users) < probabilities, probabilities


def test_a_challenger_that_is_worse_beyond_noise_does_not_replace_the_champion() -> None:
    labels, good = drawn()
    decision = decide("abc", labels, challenger=np.full(2_000, 0.5), champion=good, seed=0)
    assert (decision.kept, decision.champion) == ("champion", "abc")
    assert decision.reason == "on the snapshot for choices the challenger is worse beyond noise"
    assert decision.difference is not None
    assert decision.difference.low > 0


def test_a_challenger_that_is_better_replaces_the_champion() -> None:
    labels, good = drawn()
    decision = decide("abc", labels, challenger=good, champion=np.full(2_000, 0.5), seed=0)
    assert (decision.kept, decision.champion) == ("challenger", "abc")
    assert decision.reason == "on the snapshot for choices the challenger is better beyond noise"


def test_a_challenger_that_is_no_worse_replaces_the_champion() -> None:
    labels, good = drawn()
    shaken = np.clip(good + np.random.default_rng(1).normal(0, 0.02, 2_000), 0.01, 0.99)
    clipped = np.clip(good, 0.01, 0.99)
    for other in (clipped, shaken):
        decision = decide("abc", labels, challenger=other, champion=clipped, seed=0)
        assert decision.kept == "challenger"
        assert (
            decision.reason
            == "on the snapshot for choices the challenger is not worse beyond noise"
        )
