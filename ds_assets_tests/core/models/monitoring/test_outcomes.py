"""Did it come true: verdicts on a day's predictions."""

import datetime as dt
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.contracts import conform
from ds_assets.core.group_defaults import MAX_USER_GROUPS
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.evaluation.metrics import Measures, Scores, measure
from ds_assets.core.models.monitoring.outcomes import ObservedOutcomes, compare, promise
from ds_assets.core.tables import PREDICTION_OUTCOMES
from ds_assets_tests.core.factories import make_target
from ds_assets_tests.core.models.card_factories import (
    make_card,
    make_evaluation,
    make_lacking_card,
    make_measure,
    make_measures,
)

DAY = dt.date(2024, 5, 1)
DRIFT = {"spend_7d": 0.41, "events_7d": 0.02}


def happened(
    users: int = 2_000, seed: int = 0, shift: float = 0.0, **facts: Any
) -> ObservedOutcomes:
    """Labels drawn by the delivered chances, or by others."""
    chance = np.random.default_rng(seed)
    log_odds = chance.normal(-1, 1.3, users)
    probabilities = 1 / (1 + np.exp(-log_odds))
    labels = chance.random(users) < 1 / (1 + np.exp(-(log_odds + shift)))
    groups = np.full(users, "", dtype=object)
    return ObservedOutcomes(
        **{"probabilities": probabilities, "labels": labels, "groups": groups, **facts}
    )


def folds(*measures: Measures) -> ModelCard:
    evaluations = (
        make_evaluation(number, delivered=measures_of_fold)
        for number, measures_of_fold in enumerate(measures)
    )
    return make_card(folds=tuple(evaluations))


def compared(
    outcomes: ObservedOutcomes, card: ModelCard | None = None, **changes: Any
) -> pd.DataFrame:
    return compare(
        make_target(), DAY, outcomes, card or promising(), changes.pop("drift", DRIFT), **changes
    )


def promising() -> ModelCard:
    """What `happened` keeps: an AUC of about 0.79, and no bias."""
    return folds(make_measures(0.79, 0.0))


def row_of(outcomes: ObservedOutcomes, card: ModelCard | None = None) -> dict[str, Any]:
    row = compared(outcomes, card).iloc[0]
    return {str(name): value for name, value in row.items()}


def test_what_came_as_promised_is_told_with_both() -> None:
    outcomes = happened()
    row = row_of(outcomes)
    assert row["verdict"] == "as_promised"
    assert (row["as_of"], row["target"], row["segment"], row["users"]) == (
        DAY,
        "churn",
        "all",
        2_000,
    )
    assert row["predicted"] == outcomes.probabilities.mean()
    assert row["happened"] == outcomes.labels.mean()
    assert row["auc_low"] < row["auc"] < row["auc_high"]
    assert (row["promised_auc_low"], row["promised_auc_high"]) == pytest.approx((0.74, 0.84))
    assert row["promised_happened_low"] == pytest.approx(row["predicted"] - 0.02)
    assert row["promised_happened_high"] == pytest.approx(row["predicted"] + 0.02)
    assert row["brier"] == pytest.approx(((outcomes.probabilities - outcomes.labels) ** 2).mean())
    assert 0 < row["log_loss"] < 1
    assert 0 < row["ece"] < 0.1
    assert row["drift"] == 0.41


def test_a_ranking_that_is_worse_than_promised_is_outside() -> None:
    row = row_of(happened(), folds(make_measures(0.95, 0.0)))
    assert row["verdict"] == "outside"


def test_what_is_better_than_promised_keeps_the_promise() -> None:
    assert row_of(happened(), folds(make_measures(0.55, 0.0)))["verdict"] == "as_promised"
    assert row_of(happened(), folds(make_measures(0.8, 0.3)))["verdict"] == "as_promised"


def test_a_share_that_differs_from_the_promised_is_outside() -> None:
    row = row_of(happened(shift=0.8))
    assert row["verdict"] == "outside"
    assert row["happened"] > row["promised_happened_high"]
    assert row["auc_high"] > row["promised_auc_low"]  # it is not the ranking


def test_what_ranks_like_chance_is_useless() -> None:
    labels = np.random.default_rng(1).random(2_000) < 0.3
    assert row_of(happened(labels=labels))["verdict"] == "useless"


def test_what_says_less_than_the_usual_share_is_useless_however_well_it_ranks() -> None:
    row = row_of(happened(shift=-3.0))
    assert row["auc_low"] > 0.6
    assert row["verdict"] == "useless"


def simulated(skill: float, users: int, seed: int) -> ObservedOutcomes:
    """Calibrated probabilities, whose log-odds have a standard deviation of `skill`."""
    chance = np.random.default_rng([users, seed])
    probabilities = 1 / (1 + np.exp(-chance.normal(-0.9, skill, users)))
    labels = chance.random(users) < probabilities
    return ObservedOutcomes(probabilities, labels, np.full(users, "", dtype=object))


def verdicts_of(days: int, skill: float, users: int) -> Counter[str]:
    """Verdicts on simulated days, each promised what three other such days measured."""
    verdict_counts: Counter[str] = Counter()
    for number in range(days):
        earlier = [simulated(skill, users, 3 * number + n + days) for n in range(3)]
        measured = (
            measure(outcomes.labels, {"own": Scores(outcomes.probabilities)}, 0)["own"]
            for outcomes in earlier
        )
        verdict_counts[row_of(simulated(skill, users, number), folds(*measured))["verdict"]] += 1
    return verdict_counts


@pytest.mark.slow
@pytest.mark.parametrize("skill", [0.4, 0.8])  # an AUC of about 0.61, and of 0.7
def test_a_calibrated_model_of_few_users_raises_a_false_alarm_on_less_than_1_day_in_50(
    skill: float,
) -> None:
    verdict_counts = verdicts_of(200, skill, users=300)
    assert verdict_counts["useless"] <= 2
    assert verdict_counts["useless"] + verdict_counts["outside"] <= 4


def without_skill(users: int, spread: float, seed: int) -> ObservedOutcomes:
    """Probabilities that have nothing to do with the outcomes, around the true share."""
    chance = np.random.default_rng([users, seed])
    probabilities = 1 / (1 + np.exp(-chance.normal(-0.9, spread, users)))
    labels = chance.random(users) < probabilities.mean()
    return ObservedOutcomes(probabilities, labels, np.full(users, "", dtype=object))


@pytest.mark.parametrize(("users", "spread"), [(300, 1.3), (2_000, 0.8), (10_000, 0.01)])
def test_a_model_without_skill_is_found_useless(users: int, spread: float) -> None:
    verdict_counts = Counter(
        row_of(without_skill(users, spread, seed))["verdict"] for seed in range(20)
    )
    assert verdict_counts["useless"] >= 19


@pytest.mark.parametrize("kept", [19, 20])
@pytest.mark.parametrize("label", [True, False])
def test_too_few_users_of_an_outcome_have_no_measures(kept: int, label: bool) -> None:
    labels = (np.arange(2_000) < kept) == label
    row = row_of(happened(labels=labels))
    assert (row["verdict"] == "too_few_users") is (kept == 19)
    assert pd.isna(row["auc"]) == pd.isna(row["brier"]) == (kept == 19)
    assert row["happened"] == labels.mean()
    assert row["promised_auc_low"] == pytest.approx(0.74)


def test_one_user_is_too_few_and_no_error() -> None:
    rows = compared(happened(1))
    assert rows["verdict"].to_list() == ["too_few_users"]
    conform(PREDICTION_OUTCOMES, rows)


def test_the_promise_reaches_from_the_lowest_to_the_highest_of_the_folds() -> None:
    card = folds(make_measures(0.8, 0.0), make_measures(0.7, 0.1), make_measures(0.75, -0.2))
    promised = promise(card)
    assert promised is not None
    assert (promised.auc.low, promised.auc.high) == pytest.approx((0.65, 0.85))
    assert (promised.bias.low, promised.bias.high) == pytest.approx((-0.22, 0.12))
    assert promised.auc.value == 0.8


def test_a_wider_promise_is_easier_to_keep() -> None:
    worse = folds(make_measures(0.95, 0.0))
    wider = folds(make_measures(0.95, 0.0), make_measures(0.8, 0.0))
    assert row_of(happened(), worse)["verdict"] == "outside"
    assert row_of(happened(), wider)["verdict"] == "as_promised"


def test_the_promised_share_stays_a_share() -> None:
    card = folds(make_measures(0.79, 0.0).model_copy(update={"bias": make_measure(0.0, 4.0)}))
    row = row_of(happened(), card)
    assert (row["promised_happened_low"], row["promised_happened_high"]) == (0.0, 1.0)


def test_a_card_that_was_never_judged_promises_nothing() -> None:
    assert promise(make_lacking_card()) is None
    assert promise(folds(make_measures(0.8, bias=None))) is None
    row = row_of(happened(), make_card(folds=()))
    assert row["verdict"] == "as_promised"
    assert pd.isna(row["promised_auc_low"])


def test_each_group_has_a_row_and_users_without_one_are_among_all() -> None:
    groups = np.array(["country=US", "country=KR", ""] * 500, dtype=object)
    rows = compared(happened(1_500, groups=groups))
    assert rows["segment"].to_list() == ["all", "country=KR", "country=US"]
    assert rows["users"].to_list() == [1_500, 500, 500]
    whole = happened(1_500, groups=groups)
    alone = row_of(whole.of(groups == "country=KR"))
    of_group = rows.iloc[1]
    assert of_group["auc"] == alone["auc"]
    assert of_group["happened"] == alone["happened"]


def test_only_the_largest_groups_have_rows() -> None:
    small = [f"country=c{n:03d}" for n in range(100)]
    groups = np.array(["country=US"] * 700 + ["country=KR"] * 700 + small, dtype=object)
    segments = compared(happened(1_500, groups=groups))["segment"].tolist()
    assert {"all", "country=US", "country=KR"} < {*segments}
    assert len(segments) == 1 + MAX_USER_GROUPS


def test_nothing_is_promised_of_a_group() -> None:
    groups = np.array(["country=US", "country=KR"] * 1_000, dtype=object)
    rows = compared(happened(groups=groups), folds(make_measures(0.95, 0.0)))
    assert rows["verdict"].to_list() == ["outside", "as_promised", "as_promised"]
    assert rows["promised_auc_low"].isna().to_list() == [False, True, True]


def test_spend_is_told_where_it_was_predicted() -> None:
    spend, expected = np.full(2_000, 3.0), np.full(2_000, 2.5)
    groups = np.array(["a=1", "a=2"] * 1_000, dtype=object)
    spend[::2] = 1.0
    rows = compared(happened(expected_spend=expected, spend=spend, groups=groups))
    assert rows["predicted_spend"].to_list() == [2.5, 2.5, 2.5]
    assert rows["spend"].to_list() == [2.0, 1.0, 3.0]


def drawn_spend(outcomes: ObservedOutcomes, factor: float = 1.0) -> ObservedOutcomes:
    """Outcomes whose payers spend 5 each, times a factor, where 5 was predicted."""
    return replace(
        outcomes,
        expected_spend=5 * outcomes.probabilities,
        spend=5 * factor * outcomes.labels.astype(np.float64),
    )


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(1.0, "as_predicted"), (1.5, "more_than_predicted"), (0.6, "less_than_predicted")],
)
def test_total_spend_has_a_verdict_of_its_own(factor: float, verdict: str) -> None:
    row = row_of(drawn_spend(happened(), factor))
    assert row["spend_verdict"] == verdict
    assert row["spend_ratio_low"] < row["spend_ratio"] < row["spend_ratio_high"]
    assert row["spend_ratio"] == pytest.approx(row["spend"] / row["predicted_spend"])
    contains_1 = row["spend_ratio_low"] < 1 < row["spend_ratio_high"]
    assert contains_1 == (verdict == "as_predicted")
    assert row["verdict"] == "as_promised"


def test_every_group_has_a_verdict_on_its_spend() -> None:
    groups = np.array(["a=1", "a=2"] * 1_000, dtype=object)
    outcomes = drawn_spend(happened(groups=groups))
    assert outcomes.spend is not None
    doubled = outcomes.spend.copy()
    doubled[groups == "a=2"] *= 2
    verdicts = compared(replace(outcomes, spend=doubled))["spend_verdict"]
    assert verdicts.to_list()[1:] == ["as_predicted", "more_than_predicted"]


def test_a_few_payers_prove_nothing_about_spend() -> None:
    row = row_of(drawn_spend(happened(labels=np.arange(2_000) < 19)))
    assert row["spend_verdict"] == "too_few_users"
    assert pd.isna(row["spend_ratio"])


def test_spend_of_nothing_predicted_has_no_verdict() -> None:
    nothing = np.zeros(2_000)
    row = row_of(happened(expected_spend=nothing, spend=nothing + 1.0))
    assert row["spend_verdict"] is None
    assert pd.isna(row["spend_ratio"])


@pytest.mark.parametrize("spend", [None, np.full(2_000, 3.0)])
def test_spend_is_left_out_where_it_was_not_predicted(spend: np.ndarray | None) -> None:
    row = row_of(happened(spend=spend))
    assert pd.isna(row["predicted_spend"])
    assert pd.isna(row["spend"])
    assert pd.isna(row["spend_ratio"])
    assert row["spend_verdict"] is None


def test_without_drift_there_is_none() -> None:
    assert compared(happened(), drift={})["drift"].isna().all()


def test_rows_keep_the_contract() -> None:
    groups = np.array(["country=US", "country=KR", ""] * 500, dtype=object)
    spend = np.ones(1_500)
    for expected in (None, spend):
        rows = compared(happened(1_500, groups=groups, expected_spend=expected, spend=expected))
        assert list(rows) == PREDICTION_OUTCOMES.names
        assert conform(PREDICTION_OUTCOMES, rows).num_rows == 3


def test_the_same_predictions_are_judged_the_same() -> None:
    pd.testing.assert_frame_equal(compared(happened()), compared(happened()))
