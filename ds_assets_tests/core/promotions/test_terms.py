import datetime as dt
from typing import Any

from ds_assets.core.promotions.assignment import version_of
from ds_assets.core.promotions.terms import (
    covariates_of,
    current_terms,
    holdout_version,
    measured_targets,
    outcomes_of,
)
from ds_assets.core.promotions.waves import Terms
from ds_assets_tests.core.factories import make_game

WHO = {"who": "churn_probability > 0.4"}


def game_of(**changes: Any) -> Any:
    targets = {"gone": {"inactive": True, "horizon": 30}}
    return make_game(targets=targets, **changes)


def test_the_terms_of_a_promotion_are_those_of_the_game_file() -> None:
    game = game_of(
        promotions={
            "bundle": WHO
            | {"control": 0.2, "as_before": {"offer": "old", "share": 0.3}, "until": "2026-03-01"}
        }
    )
    assert current_terms(game) == {
        ("bundle", version_of(game, "bundle")): Terms(
            "churn",
            0.02,
            {"treated": 0.5, "control": 0.2, "as_before": 0.3},
            dt.date(2026, 3, 1),
        )
    }


def test_arms_of_another_program_have_no_planned_shares() -> None:
    game = game_of(promotions={"outside": {"assigned_by": "arms.csv"}})
    (terms,) = current_terms(game).values()
    assert terms.shares == {}
    assert terms.ratio("treated") is None


def test_all_promotions_together_are_compared_with_the_holdout() -> None:
    game = game_of(promotions={"bundle": WHO}, holdout=0.05)
    terms = current_terms(game)["all", holdout_version(game)]
    assert terms == Terms("churn", 0.02, {"treated": 0.95, "control": 0.05})
    assert holdout_version(game) != holdout_version(game_of(holdout=0.1))


def test_a_target_of_the_game_is_measured_where_a_promotion_is_meant_to_change_it() -> None:
    assert set(measured_targets(game_of(promotions={"bundle": WHO}))) == {"churn", "payment"}
    game = game_of(promotions={"bundle": WHO | {"target": "gone"}})
    assert set(measured_targets(game)) == {"churn", "payment", "gone"}


def test_each_outcome_is_compared_with_what_was_predicted_of_it() -> None:
    assert covariates_of("gone") == {
        "gone": "target_probability",
        "churn": "churn_probability",
        "payment": "payment_probability",
        "spend": "expected_spend",
        "profit": "expected_spend",
        "cost": None,
        "shown": None,
    }
    assert "target_probability" not in covariates_of("churn").values()


def test_fewer_users_that_leave_and_less_cost_are_better_and_more_of_all_else() -> None:
    outcomes = outcomes_of(game_of(promotions={"bundle": WHO | {"target": "gone"}}))
    worse = {name for name, outcome in outcomes.items() if outcome.better < 0}
    assert worse == {"churn", "gone", "cost"}
    assert {name for name, it in outcomes.items() if it.is_share} == {*("churn", "payment", "gone")}
