"""All contenders on the users of each fold, and the users apart."""

from functools import cache

import numpy as np
import pytest

from ds_assets.core.models.card.model_card import GroupCard
from ds_assets.core.models.evaluation.metrics import Scores, measure
from ds_assets.core.models.training.challenger import Challenger, make_challenger
from ds_assets.core.models.training.compare import (
    evaluate,
    first_week,
    group_card,
    parts_of_fold,
    score_fold,
)
from ds_assets.core.targets import BUILT_IN
from ds_assets_tests.core.factories import Rule, make_small_snapshots, make_target

pytestmark = pytest.mark.usefixtures("few_trees")


def opposite(_: int) -> Rule:
    return lambda features: 3 * features["x"] * features["side"]


def steady(_: int) -> Rule:
    return lambda features: 3 * features["x"]


@cache
def challenger() -> Challenger:
    return make_challenger(make_small_snapshots(4, steady), seed=0)


@cache
def of_groups() -> Challenger:
    return make_challenger(make_small_snapshots(5, opposite, 600, groups="clusters"), seed=0)


def test_contenders_are_measured_on_the_same_users() -> None:
    latest = challenger().validated[0]
    other = np.full(400, 0.5)
    others = {"champion": other, **parts_of_fold(latest)}
    evaluation = evaluate(make_target(), score_fold(latest), others, seed=0)
    assert list(evaluation.contenders) == [
        "delivered",
        "champion",
        "logistic_regression",
        "recency",
    ]
    labels = latest.validation.labels
    assert (evaluation.users, evaluation.positives) == (400, labels.sum())
    assert evaluation.snapshot == latest.fold.validation.day
    assert evaluation.trained_on == tuple(snapshot.day for snapshot in latest.fold.training)
    alone = measure(labels, {"delivered": Scores(latest.probabilities)}, seed=0)
    assert evaluation.measures == alone["delivered"]
    assert evaluation.contenders["champion"].auc.value == 0.5
    assert evaluation.contenders["logistic_regression"].auc.value > 0.8
    assert evaluation.contenders["recency"].log_loss is None


def test_recency_is_that_of_the_target() -> None:
    latest = challenger().validated[0]
    churn, payment = (
        evaluate(target, score_fold(latest), {}, seed=0).contenders["recency"]
        for target in BUILT_IN
    )
    assert churn != payment


def test_the_model_for_everybody_competes_where_groups_have_their_own() -> None:
    latest = of_groups().validated[0]
    evaluation = evaluate(make_target(), score_fold(latest), parts_of_fold(latest), seed=0)
    assert "global" in evaluation.contenders
    assert evaluation.measures.auc.low > evaluation.contenders["global"].auc.high


def test_users_of_the_first_week_are_judged_apart() -> None:
    latest = challenger().validated[0]
    new = (latest.fold.validation.features["tenure_days"] < 7).to_numpy()
    measures = first_week(score_fold(latest), seed=0)
    assert (measures.users, measures.positives) == (new.sum(), latest.validation.labels[new].sum())
    assert measures.snapshot == latest.fold.validation.day
    assert measures.measures is not None
    scores = {"own": Scores(latest.probabilities[new])}
    assert measures.measures == measure(latest.validation.labels[new], scores, seed=0)["own"]


def test_too_few_users_of_the_first_week_have_no_measures() -> None:
    latest = make_challenger(make_small_snapshots(3, steady, users=200), seed=0).validated[0]
    measures = first_week(score_fold(latest), seed=0)
    assert 0 < measures.users < 40
    assert measures.measures is None


def test_nobody_in_the_first_week_is_nobody() -> None:
    snapshots = make_small_snapshots(3, steady)
    for snapshot in snapshots:
        snapshot.features["tenure_days"] += 7
    latest = make_challenger(snapshots, seed=0).validated[0]
    measures = first_week(score_fold(latest), seed=0)
    assert (measures.users, measures.positives, measures.measures) == (0, 0, None)


def cards_of(trained: Challenger) -> list[GroupCard]:
    scored = score_fold(trained.validated[0])
    return [group_card(it, scored, seed=0) for it in trained.choices.contest.decisions]


def test_groups_are_judged_by_the_model_that_answers_for_them() -> None:
    latest = of_groups().validated[0]
    cards = cards_of(of_groups())
    assert {card.group for card in cards} == {"cluster=1", "cluster=2"}
    for card in cards:
        own = latest.validation.groups == card.group
        scores = {"own": Scores(latest.probabilities[own])}
        assert card.measures == measure(latest.validation.labels[own], scores, seed=0)["own"]


def test_groups_that_are_too_few_to_judge_have_no_measures() -> None:
    snapshots = make_small_snapshots(3, steady, groups="clusters")
    for snapshot in snapshots:
        snapshot.features.loc[:29, "user_group"] = "cluster=3"
    cards = {card.group: card for card in cards_of(make_challenger(snapshots, seed=0))}
    assert cards["cluster=3"].measures is None
    assert cards["cluster=1"].measures is not None
