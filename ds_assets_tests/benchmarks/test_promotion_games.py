import numpy as np
import pytest

from benchmarks.promotion_games import Players, Promotion, draw_days, without_covariates
from ds_assets.core.promotions.effects import compare, mean_of
from ds_assets.core.promotions.moments import Cell


def some_players(count: int = 2_000) -> Players:
    rng = np.random.default_rng(1)
    risk = rng.random(count)
    spend = rng.lognormal(size=count)
    return Players(risk, spend, rng.random(count) < risk, spend * rng.lognormal(size=count), risk)


def effects(promotion: Promotion, outcome: str, seed: int = 1) -> tuple[float, float]:
    (day,) = draw_days(some_players(), promotion, np.random.default_rng(seed))
    arms = (day.cells[Cell("all", arm, outcome)] for arm in ("treated", "control"))
    treated, control = arms
    return mean_of(treated), mean_of(control)


def test_a_promotion_keeps_and_sells_as_much_as_it_is_said_to() -> None:
    promotion = Promotion(players_per_day=200_000, days=1, control=0.5, keeps=0.2, raises=0.3)
    treated, control = effects(promotion, "churn")
    assert treated == pytest.approx(0.8 * control, rel=0.02)
    treated, control = effects(promotion, "spend")
    assert treated == pytest.approx(1.3 * control, rel=0.03)


def test_without_an_effect_both_arms_are_alike() -> None:
    treated, control = effects(Promotion(players_per_day=200_000, days=1, control=0.5), "churn")
    assert treated == pytest.approx(control, rel=0.02)


def test_each_day_has_its_own_players_and_the_planned_share_of_control() -> None:
    promotion = Promotion(players_per_day=5_000, days=3, control=0.2)
    days = list(draw_days(some_players(), promotion, np.random.default_rng(1)))
    assert len({day.date for day in days}) == 3
    for day in days:
        sizes = [day.cells[Cell("all", arm, "churn")].count() for arm in ("treated", "control")]
        assert sizes[1] / sum(sizes) == pytest.approx(0.2, abs=0.03)


def test_players_at_risk_are_those_with_a_prediction_above_the_limit() -> None:
    at_risk = some_players().at_risk(0.4)
    assert at_risk.risk.min() > 0.4
    assert len(at_risk.spend) == len(at_risk.risk) < 2_000


def test_without_predictions_intervals_are_wider() -> None:
    (day,) = draw_days(
        some_players(), Promotion(players_per_day=5_000, days=1), np.random.default_rng(1)
    )
    widths = []
    for it in (day, without_covariates(day)):
        arms = (it.cells[Cell("all", arm, "churn")] for arm in ("treated", "control"))
        effect = compare(*arms)
        widths.append(effect.high - effect.low)
    assert widths[0] < widths[1]
