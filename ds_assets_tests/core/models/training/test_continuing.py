"""Models of the days on which no choices are made."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from ds_assets.core.cards import ModelFiles, card_text
from ds_assets.core.models.card.model_card import (
    AMOUNTS,
    CHOICE_MODEL,
    VALIDATION_MODEL,
    VALIDATION_PREFIX,
    ModelCard,
)
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.evaluation.metrics import Scores, measure
from ds_assets.core.models.inference.onnx_model import load_earlier_model, probabilities
from ds_assets.core.models.training.champion import Champion
from ds_assets.core.models.training.continuing import HOLD_DAYS
from ds_assets.core.models.training.plan import TrainedModel
from ds_assets.core.models.training.train import train
from ds_assets.core.targets import Target
from ds_assets_tests.core.factories import FIRST_DAY, Rule, make_small_snapshots, make_target

pytestmark = pytest.mark.usefixtures("few_trees")

TARGET = make_target("payment", user_groups="clusters")
DAY = FIRST_DAY + dt.timedelta(weeks=8)
NEXT = DAY + dt.timedelta(days=1)


def opposite(_: int) -> Rule:
    """What the one group does for a reason, the other does not."""
    return lambda features: 3 * features["x"] * features["side"]


def snapshots_of(first: dt.date = FIRST_DAY, count: int = 6) -> list[LabelledSnapshot]:
    """Snapshots of users with groups that differ, and with spend, weeks apart from a day on.

    A few users leave with each day by which it is later.
    """
    columns = ("x", "z", "cluster")
    snapshots = make_small_snapshots(count, opposite, 600, groups="clusters", columns=columns)
    chance = np.random.default_rng(first.toordinal())
    later = first - FIRST_DAY
    return [
        replace(
            snapshot,
            day=snapshot.day + later,
            matured_on=snapshot.matured_on + later,
            spend=snapshot.labels * chance.lognormal(1, 0.5, len(snapshot.labels)),
        ).rows(np.arange(len(snapshot.labels)) >= 5 * later.days)
        for snapshot in snapshots
    ]


@cache
def chosen() -> TrainedModel:
    """The model of the day on which choices are made."""
    return train(TARGET, DAY, snapshots_of())


def champion_of(model: TrainedModel, **changes: Any) -> Champion:
    card = model.card.model_copy(update=changes)
    return Champion(card, ModelFiles(card_text(card), model.onnx, tuple(model.parts.items())))


@cache
def continued() -> TrainedModel:
    """The model of the day after, of other snapshots."""
    return train(TARGET, NEXT, next_snapshots(), champion=champion_of(chosen()))


def next_snapshots() -> Sequence[LabelledSnapshot]:
    return snapshots_of(FIRST_DAY + dt.timedelta(days=1))


def test_the_first_model_says_why_choices_were_made() -> None:
    card = chosen().card
    assert (card.choices_day, card.choices_reason) == (DAY, "there is no model of the days before")
    assert any(group.own_share is not None for group in card.groups)  # so that there is something


def test_the_model_of_the_next_day_is_made_in_the_same_way() -> None:
    before, card = chosen().card, continued().card
    for name in ("choices_day", "choices_reason", "chosen_on", "twin_trained", "memory", "mixture"):
        assert getattr(card, name) == getattr(before, name), name
    assert [(it.group, it.model, it.file, it.own_share) for it in card.groups] == [
        (it.group, it.model, it.file, it.own_share) for it in before.groups
    ]
    assert card.calibration is not None
    assert before.calibration is not None
    assert card.calibration.line.slope == before.calibration.line.slope
    assert card.decision is not None
    assert (card.decision.kept, card.decision.champion) == ("challenger", before.version)
    assert card.decision.reason == f"it is made in the same way, chosen on {DAY}"


def test_it_learns_from_the_snapshots_of_its_day() -> None:
    before, model = chosen(), continued()
    assert (model.card.as_of, model.card.trained) == (NEXT, NEXT)
    assert model.card.snapshots == tuple(snapshot.day for snapshot in next_snapshots())
    assert model.onnx != before.onnx
    assert model.parts[AMOUNTS] != before.parts[AMOUNTS]
    assert model.card.version != before.card.version


def test_from_the_same_snapshots_it_learns_the_same() -> None:
    """So choices are all that is carried over: the fit knows nothing else of the day before."""
    again = train(TARGET, NEXT, snapshots_of(), champion=champion_of(chosen()))
    assert again.onnx == chosen().onnx
    assert again.parts == chosen().parts


def test_models_of_earlier_days_stay_as_they_were() -> None:
    before, model = chosen(), continued()
    for name in (VALIDATION_MODEL, CHOICE_MODEL):
        assert model.parts[name] == before.parts[name]
    assert set(model.card.parts) == set(model.parts) == set(before.parts)


def test_it_is_measured_on_the_latest_snapshot_by_a_model_that_has_not_seen_it() -> None:
    model, latest = continued(), next_snapshots()[-1]
    fold = model.card.folds[0]
    assert fold.snapshot == latest.day
    assert fold.trained_on == chosen().card.folds[0].trained_on
    twin = load_earlier_model(VALIDATION_PREFIX, model.parts, model.card)
    scores = {"twin": Scores(probabilities(twin, latest.features))}
    assert fold.measures == measure(latest.outcomes, scores, seed=0)["twin"]
    assert model.card.first_week is not None
    assert model.card.first_week.snapshot == latest.day
    assert {group.snapshot for group in model.card.groups} == {latest.day}


def test_the_folds_of_choices_stay_behind_the_latest() -> None:
    before = chosen().card.folds
    card = continued().card
    assert card.folds[1:] == before[:2]
    later = NEXT + dt.timedelta(days=1)
    snapshots = snapshots_of(FIRST_DAY + dt.timedelta(days=2))
    again = train(TARGET, later, snapshots, champion=champion_of(continued())).card
    assert [fold.snapshot for fold in again.folds] == [
        snapshots[-1].day,
        *(fold.snapshot for fold in before[:2]),
    ]
    assert again.choices_day == DAY


def test_amounts_are_described_as_they_are_and_measured_as_they_were() -> None:
    before, spend = chosen().card.spend, continued().card.spend
    assert before is not None
    assert spend is not None
    assert (spend.snapshot, spend.measures) == (before.snapshot, before.measures)
    assert (spend.payers, spend.factor) != (before.payers, before.factor)


def test_a_group_that_has_become_too_small_gets_the_model_for_all() -> None:
    own = next(group.group for group in chosen().card.groups if group.file is not None)
    rest = [
        snapshot.rows(np.asarray(snapshot.features["user_group"] != own))
        for snapshot in next_snapshots()
    ]
    model = train(TARGET, NEXT, rest, champion=champion_of(chosen()))
    (card,) = (group for group in model.card.groups if group.group == own)
    assert (card.model, card.file, card.own_share) == ("global", None, None)
    assert card.reason == "too few users of each outcome for its own"
    gone = next(group.file for group in chosen().card.groups if group.group == own)
    assert f"{VALIDATION_PREFIX}{gone}" not in model.parts
    load_earlier_model(VALIDATION_PREFIX, model.parts, model.card)


def reason_of(champion: Champion, as_of: dt.date = NEXT, target: Target = TARGET) -> str | None:
    card = train(target, as_of, next_snapshots(), champion=champion).card
    assert (card.choices_day == as_of) is (card.choices_reason != chosen().card.choices_reason)
    return card.choices_reason


def test_choices_are_made_again_after_a_week() -> None:
    assert reason_of(champion_of(chosen()), DAY + dt.timedelta(days=HOLD_DAYS - 1)) == (
        "there is no model of the days before"
    )
    assert reason_of(champion_of(chosen()), DAY + dt.timedelta(days=HOLD_DAYS)) == (
        f"those of {DAY} held for a week"
    )


def test_choices_are_made_again_where_the_card_does_not_say_when_they_were() -> None:
    of_older_release = champion_of(chosen(), choices_day=None, choices_reason=None)
    assert reason_of(of_older_release) == (
        "the card of the day before does not say when choices were made"
    )


def test_choices_are_made_as_soon_as_there_is_a_snapshot_to_choose_on() -> None:
    assert reason_of(champion_of(chosen(), chosen_on=None)) == (
        "there was no earlier snapshot to choose on before"
    )


def with_bad_calibration(card: ModelCard) -> dict[str, Any]:
    latest = card.folds[0]
    off = latest.measures.auc.model_copy(update={"value": 2.0, "low": 1.9, "high": 2.1})
    measures = latest.measures.model_copy(update={"total_ratio": off})
    fold = latest.model_copy(update={"contenders": {**latest.contenders, "delivered": measures}})
    return {"folds": (fold, *card.folds[1:])}


def test_choices_are_made_again_after_a_failed_check() -> None:
    doubtful = champion_of(chosen(), **with_bad_calibration(chosen().card))
    reason = reason_of(doubtful)
    assert reason is not None
    assert reason.startswith(
        "the model of the day before failed a check: predicted over observed total 2.00"
    )


def test_choices_are_made_again_when_a_feature_drifts() -> None:
    drifts = {DAY: {"x": 0.3, "z": 0.1}, NEXT: {"x": 0.3, "z": 0.4}}
    drifted = champion_of(chosen(), drifts=drifts, as_of=NEXT)
    later = NEXT + dt.timedelta(days=1)
    assert reason_of(drifted, later) == f"features drifted since {DAY}: z"
    as_before = champion_of(chosen(), drifts=dict.fromkeys(drifts, drifts[DAY]), as_of=NEXT)
    assert reason_of(as_before, later) == "there is no model of the days before"


def test_a_model_of_another_kind_is_not_continued() -> None:
    reason = reason_of(champion_of(chosen()), target=replace(TARGET, user_groups="none"))
    assert reason == "the champion's user groups are clusters"


def test_a_champion_that_was_better_stays_until_choices_are_made_again() -> None:
    decision = chosen().card.decision
    assert decision is not None
    better = measure(np.array([True, False]), {"a": Scores(np.array([0.9, 0.1]))}, 0)["a"].auc
    kept = decision.model_copy(
        update={"kept": "champion", "champion": "abc", "difference": better, "reason": "worse"}
    )
    model = train(TARGET, NEXT, next_snapshots(), champion=champion_of(chosen(), decision=kept))
    assert (model.onnx, model.card.version) == (chosen().onnx, chosen().card.version)
    assert (model.card.as_of, model.card.trained) == (NEXT, DAY)
    assert model.card.decision == kept
    assert model.card.folds[0].snapshot == next_snapshots()[-1].day


def test_a_champion_that_stayed_for_want_of_data_does_not_stay_longer() -> None:
    decision = chosen().card.decision
    assert decision is not None
    kept = decision.model_copy(update={"kept": "champion", "champion": "abc"})
    card = train(TARGET, NEXT, next_snapshots(), champion=champion_of(chosen(), decision=kept)).card
    assert card.trained == NEXT
