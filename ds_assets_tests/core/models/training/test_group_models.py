"""The contest of groups' own models with the global one."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ds_assets.core import user_groups
from ds_assets.core.encoding import USER_GROUP
from ds_assets.core.first_days import AGE
from ds_assets.core.models.arrays import Floats
from ds_assets.core.models.data.snapshots import Fold, LabelledSnapshot
from ds_assets.core.models.data.training_rows import Rows, encoding_of, rows_of
from ds_assets.core.models.learning.calibration import sigmoid
from ds_assets.core.models.learning.learner import LINEAR_SHARE, FittedClassifier, fit_classifier
from ds_assets.core.models.training.group_models import (
    TOO_FEW_USERS,
    Contest,
    Ensemble,
    FoldRows,
    GroupDecision,
    can_fit,
    contest,
    fit_group,
)
from ds_assets.core.user_groups import largest_groups
from ds_assets_tests.core.factories import FIRST_DAY, Rule, make_small_snapshot

pytestmark = pytest.mark.usefixtures("few_trees")

LATER = FIRST_DAY + dt.timedelta(weeks=2)


def opposite(features: pd.DataFrame) -> Floats:
    """What the one side does for a reason, the other does not."""
    return np.asarray(3 * features["x"] * features["side"])


def alike(features: pd.DataFrame) -> Floats:
    return np.asarray(3 * features["x"])


def make_fold(
    rule: Rule,
    users: int = 600,
    groups: str | Callable[[pd.DataFrame], pd.Series] = "clusters",
) -> Fold:
    by = groups if isinstance(groups, str) else "none"
    training, validation = (
        make_small_snapshot(day, rule, users, groups=by) for day in (FIRST_DAY, LATER)
    )
    if not isinstance(groups, str):
        for snapshot in (training, validation):
            snapshot.features[USER_GROUP] = groups(snapshot.features).astype("string")
    return Fold((training,), validation)


def held(fold: Fold) -> tuple[Contest, Rows, FittedClassifier]:
    encoding = encoding_of(fold.training)
    training, validation = rows_of(fold.training, encoding), rows_of([fold.validation], encoding)
    whole = fit_classifier(training.matrix, training.labels, LINEAR_SHARE, seed=0)
    return (
        contest(
            fold, FoldRows(training, validation), whole, largest_groups(validation.groups), seed=0
        ),
        validation,
        whole,
    )


def by_name(group_contest: Contest) -> dict[str, GroupDecision]:
    return {decision.group: decision for decision in group_contest.decisions}


def test_a_group_that_behaves_differently_gets_a_model_of_its_own() -> None:
    fold = make_fold(opposite)
    group_contest, validation, whole = held(fold)
    assert set(group_contest.winners) == {"cluster=1", "cluster=2"}
    for decision in group_contest.decisions:
        assert decision.has_own_model
        assert decision.reason == "its own model is better"
        assert decision.difference is not None
        assert decision.difference.high < 0
    both = Ensemble(whole, group_contest.winners).log_odds(validation)
    assert both[validation.labels].mean() > both[~validation.labels].mean() + 2
    alone = whole.log_odds(validation.matrix)
    assert alone[validation.labels].mean() < alone[~validation.labels].mean() + 1


def test_a_group_that_differs_a_little_gets_the_mean_of_both_models() -> None:
    def rule(features: pd.DataFrame) -> Floats:
        return np.asarray(features["x"] * (1.0 + 0.5 * features["side"]))

    group_contest, validation, whole = held(make_fold(rule, users=2000))
    assert {own.own_share for own in group_contest.winners.values()} == {0.5}
    reasons = {decision.reason for decision in group_contest.decisions if decision.has_own_model}
    assert reasons == {"the mean of its own model and the global one is better"}
    for group, own in group_contest.winners.items():
        users = validation.of_group(group)
        expected = (own.own.raw(users.matrix) + whole.raw(users.matrix)) / 2
        np.testing.assert_allclose(own.raw(users.matrix), expected)


def test_groups_that_differ_together_need_not_prove_it_alone() -> None:
    def rule(features: pd.DataFrame) -> Floats:
        return np.asarray(features["x"] * (1 + 0.3 * features["side"]))

    result, _, _ = held(make_fold(rule, users=900, groups="side"))
    together = "means of own models and the global one are better for all groups together"
    assert [decision.reason for decision in result.decisions] == [together] * 2
    for decision in result.decisions:
        assert decision.difference is not None
        assert decision.difference.value < 0 < decision.difference.high
    assert {own.own_share for own in result.winners.values()} == {0.5}


def with_ages(snapshot: LabelledSnapshot) -> LabelledSnapshot:
    """The same users, those of the one side on their first day."""
    is_right = snapshot.features[USER_GROUP] == "cluster=1"
    ages = pd.Series(np.where(is_right, 0.0, 100.0), snapshot.features.index)
    return replace(snapshot, features=snapshot.features.assign(**{AGE: ages}))


def test_users_on_their_first_day_get_a_model_of_their_own() -> None:
    fold = make_fold(opposite)
    fold = Fold(tuple(map(with_ages, fold.training)), with_ages(fold.validation))
    encoding = encoding_of(fold.training)
    training, validation = rows_of(fold.training, encoding), rows_of([fold.validation], encoding)
    whole = fit_classifier(training.matrix, training.labels, LINEAR_SHARE, seed=0)
    rows = FoldRows(training, validation)
    result = contest(fold, rows, whole, ["first day", "days 1 to 2"], seed=0)
    assert set(result.winners) == {"first day"}
    assert by_name(result)["days 1 to 2"].reason == TOO_FEW_USERS
    served = Ensemble(whole, result.winners).log_odds(validation)
    is_new = validation.members("first day")
    np.testing.assert_array_equal(
        served[is_new], result.winners["first day"].log_odds(validation.matrix[is_new])
    )
    np.testing.assert_array_equal(served[~is_new], whole.log_odds(validation.matrix[~is_new]))


def test_a_model_of_the_first_days_has_to_beat_that_of_the_user_group() -> None:
    fold = make_fold(opposite)
    fold = Fold(tuple(map(with_ages, fold.training)), with_ages(fold.validation))
    encoding = encoding_of(fold.training)
    training, validation = rows_of(fold.training, encoding), rows_of([fold.validation], encoding)
    whole = fit_classifier(training.matrix, training.labels, LINEAR_SHARE, seed=0)
    rows = FoldRows(training, validation)
    result = contest(fold, rows, whole, ["cluster=1", "first day"], seed=0)
    assert set(result.winners) == {"cluster=1"}  # the same users, so no better


def test_groups_that_do_not_differ_get_the_global_model() -> None:
    group_contest, validation, whole = held(make_fold(alike))
    assert group_contest.winners == {}
    assert not any(decision.has_own_model for decision in group_contest.decisions)
    assert {decision.reason for decision in group_contest.decisions} <= {
        "its own model is worse",
        "its own model is no better beyond noise",
    }
    np.testing.assert_array_equal(
        Ensemble(whole).log_odds(validation), whole.log_odds(validation.matrix)
    )


def test_a_group_of_one_outcome_or_of_few_users_falls_back_and_says_so() -> None:
    def groups(features: pd.DataFrame) -> pd.Series:
        names = np.where(features["x"] > 1.2, "high", "usual").astype(object)
        names[:30] = "few"
        names[30:40] = None
        return pd.Series(names)

    def rule(features: pd.DataFrame) -> Floats:
        return np.asarray(np.where(features["x"] > 1.2, 50.0, features["x"]))

    cards = by_name(held(make_fold(rule, groups=groups))[0])
    assert list(cards) == ["usual", "high", "few"]  # the largest first
    for name in ("high", "few"):
        assert not cards[name].has_own_model
        assert cards[name].reason == "too few users of each outcome for its own"
        assert cards[name].difference is None


def test_a_group_that_is_new_in_the_validation_snapshot_falls_back() -> None:
    fold = make_fold(alike)
    fold.training[0].features[USER_GROUP] = pd.array(["cluster=1"] * 600, dtype="string")
    card = by_name(held(fold)[0])["cluster=2"]
    assert not card.has_own_model
    assert card.reason == "too few users of each outcome for its own"


def test_only_the_largest_groups_are_tried_and_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_groups, "MAX_USER_GROUPS", 2)
    names = np.array(["a"] * 200 + ["b"] * 100 + ["c"] * 200 + ["d"] * 100, dtype=object)
    group_contest = held(
        make_fold(alike, groups=lambda features: pd.Series(names, features.index))
    )[0]
    cards = by_name(group_contest)
    assert list(cards) == ["a", "c"]
    assert cards["a"].difference is not None
    assert cards["c"].difference is not None


def test_without_groups_there_is_no_contest() -> None:
    group_contest, _, _ = held(make_fold(alike, groups="none"))
    assert group_contest == Contest((), {})


def test_a_group_can_have_a_model_where_both_outcomes_are_there() -> None:
    fold = make_fold(lambda features: np.where(features["side"] > 0, 50.0, features["x"]))
    training = rows_of(fold.training, encoding_of(fold.training))
    assert can_fit(training, "cluster=2")
    assert not can_fit(training, "cluster=1")
    assert not can_fit(training, "cluster=3")


def test_a_model_of_a_group_is_the_mean_of_one_of_its_users_alone_and_the_global_one() -> None:
    fold = make_fold(opposite)
    training = rows_of(fold.training, encoding_of(fold.training))
    own = training.of_group("cluster=1")
    whole = fit_classifier(training.matrix, training.labels, LINEAR_SHARE, seed=0)
    alone = fit_classifier(own.matrix, own.labels, LINEAR_SHARE, seed=0)
    fitted = fit_group(own, whole, 0.5, seed=0)
    expected = (alone.raw(training.matrix) + whole.raw(training.matrix)) / 2
    np.testing.assert_allclose(fitted.raw(training.matrix), expected)


def test_a_model_of_a_group_is_at_the_level_of_its_users() -> None:
    fold = make_fold(opposite)
    training = rows_of(fold.training, encoding_of(fold.training))
    own = training.of_group("cluster=1")
    whole = fit_classifier(training.matrix, training.labels, LINEAR_SHARE, seed=0)
    chances = sigmoid(fit_group(own, whole, 0.5, seed=0).log_odds(own.matrix))
    assert chances.mean() == pytest.approx(own.labels.mean(), abs=1e-6)
