import datetime as dt

import pytest

from ds_assets.core.promotions.conditions import read_conditions
from ds_assets.core.promotions.decisions import Choice, PromotionDecision
from ds_assets.core.promotions.states import TargetOutcome, find_state, find_targets
from ds_assets.game import CustomTarget
from ds_assets_tests.core.promotions.factories import (
    START,
    day_of,
    make_promoted_game,
    make_promotion,
)

BUNDLE = make_promotion()
USELESS = {"churn": TargetOutcome(START, "useless")}


def decide(
    choice: Choice, outcomes_until: dt.date | None = None, hour: int = 9
) -> PromotionDecision:
    at = dt.datetime(2026, 3, 1, hour, tzinfo=dt.UTC)
    return PromotionDecision(
        promotion="bundle",
        choice=choice,
        reason="too generous",
        by="anna",
        at=at,
        outcomes_until=outcomes_until,
    )


def test_a_promotion_runs_within_its_dates() -> None:
    dated = make_promotion(**{"from": str(day_of(1)), "until": str(day_of(2))})
    states = [str(find_state(dated, day_of(number), None, {})) for number in range(4)]
    assert states == ["waits, from 2026-03-02", "runs", "runs", "ended, until 2026-03-03"]


def test_a_paused_promotion_says_who_paused_it_when_and_why_until_it_is_resumed() -> None:
    state = find_state(BUNDLE, START, decide(Choice.PAUSED), {})
    assert str(state) == "paused, by anna on 2026-03-01 09:00: too generous"
    assert find_state(BUNDLE, START, decide(Choice.RESUMED), {}).status == "runs"


def test_a_withdrawn_promotion_assigns_nobody_and_may_be_resumed() -> None:
    state = find_state(BUNDLE, START, decide(Choice.WITHDRAWN), {})
    assert str(state) == "withdrawn, by anna on 2026-03-01 09:00: too generous"
    assert state.may_resume


@pytest.mark.parametrize("verdict", ["as_promised", "outside"])
def test_only_a_useless_model_stops_a_promotion(verdict: str) -> None:
    state = find_state(BUNDLE, START, None, USELESS)
    assert str(state) == "stopped, churn predictions of 2026-03-01 were useless"
    assert (
        find_state(BUNDLE, START, None, {"churn": TargetOutcome(START, verdict)}).status == "runs"
    )


def test_resuming_lifts_a_stop_until_newer_outcomes_show_the_same() -> None:
    resumed = decide(Choice.RESUMED, outcomes_until=START)
    assert find_state(BUNDLE, START, resumed, USELESS).status == "runs"
    newer = {"churn": TargetOutcome(day_of(1), "useless")}
    assert find_state(BUNDLE, START, resumed, newer).status == "stopped"
    assert find_state(BUNDLE, START, decide(Choice.RESUMED), USELESS).status == "stopped"


def test_a_promotion_relies_on_its_target_and_on_the_predictions_that_it_looks_at() -> None:
    game = make_promoted_game(
        {
            "own": {"who": "country = 'KR'"},
            "others": {"who": "expected_spend > 1 and days_left < 3", "target": "away"},
            "custom": {"who": "away_probability > 0.5", "target": "payment"},
        },
        targets={"away": CustomTarget(inactive=True, horizon=7)},
    )
    conditions = read_conditions(game)
    targets = {name: find_targets(it, conditions[name]) for name, it in game.promotions.items()}
    assert targets == {
        "own": {"churn"},
        "others": {"payment", "churn", "away"},
        "custom": {"away", "payment"},
    }
    assert find_targets(make_promotion(who=None, assigned_by="a.csv"), None) == {"churn"}
