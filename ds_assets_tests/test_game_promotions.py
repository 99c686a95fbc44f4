from pathlib import Path
from typing import Any

import pytest

from ds_assets.game import Game
from ds_assets_tests.test_game import LEAST, load, mistakes

WHO = {"who": "churn_probability > 0.4"}


def with_promotion(**keys: Any) -> dict[str, Any]:
    return LEAST | {"promotions": {"bundle": keys}}


def test_a_condition_is_a_promotion_and_everything_else_has_a_default(tmp_path: Path) -> None:
    game = load(with_promotion(**WHO), tmp_path)
    bundle = game.promotions["bundle"]
    assert (bundle.control, bundle.target, bundle.priority, bundle.value.cost) == (
        0.1,
        "churn",
        0,
        0,
    )
    assert (bundle.first_day, bundle.until, bundle.group, game.holdout) == (None, None, None, 0)


@pytest.mark.parametrize(("written", "share"), [("10%", 0.1), (" 2.5 % ", 0.025), (0.3, 0.3)])
def test_a_share_is_a_percentage_or_a_number(written: object, share: float, tmp_path: Path) -> None:
    game = load(with_promotion(**WHO, control=written) | {"holdout": written}, tmp_path)
    assert (game.promotions["bundle"].control, game.holdout) == pytest.approx((share, share))


def test_the_target_may_be_any_that_is_predicted(tmp_path: Path) -> None:
    content = with_promotion(**WHO, target="away", cool_down=7)
    game = load(content | {"targets": {"away": {"inactive": True, "horizon": 7}}}, tmp_path)
    assert game.horizon_of(game.promotions["bundle"].target) == 7


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({}, "promotions.bundle: found {}; use exactly one of who and assigned_by"),
        (WHO | {"assigned_by": "a.csv"}, "use exactly one of who and assigned_by"),
        ({"assigned_by": "a.csv", "control": 0.2}, "assigned_by goes without control"),
        ({"who": ""}, "promotions.bundle.who: found ''; String should have at least 1"),
        (WHO | {"control": 0}, "control: found 0; Input should be greater than 0"),
        (WHO | {"control": "100%"}, "control: found 1.0; Input should be less than 1"),
        (WHO | {"control": "ten"}, "control: found 'ten'; write a share as 10% or 0.1"),
        (WHO | {"control": True}, "control: found True; write a share as 10% or 0.1"),
        (WHO | {"control": float("nan")}, "control: found nan; Input should be a finite"),
        (
            WHO | {"control": 0.5, "as_before": {"offer": "old", "share": 0.5}},
            "control and as_before.share must leave users who are treated",
        ),
        (WHO | {"as_before": {"offer": "old"}}, "promotions.bundle.as_before.share: required"),
        (WHO | {"from": 20260101}, "promotions.bundle.from: found 20260101; write a date"),
        (
            WHO | {"from": "2026-03-02", "until": "2026-03-01"},
            "until must not be before from (2026-03-02)",
        ),
        (WHO | {"target": "joy"}, "target: found 'joy'; use one of churn, payment"),
        (
            WHO | {"cool_down": 13},
            "cool_down: found 13; must not be less than the horizon of churn (14 days)",
        ),
        (WHO | {"value": {"currency": "USD"}}, "value.currency: found 'USD'; requires currencies"),
        (WHO | {"value": {"cost": -1}}, "value.cost: found -1; Input should be greater than or"),
        (WHO | {"per_day": 0}, "per_day: found 0; Input should be greater than or equal to 1"),
        (WHO | {"group": "No!"}, "group: found 'No!'; use up to 48 lower-case letters"),
        (WHO | {"when": "now"}, "promotions.bundle.when: unknown key"),
    ],
)
def test_a_mistake_is_one_line_that_names_key_and_accepted(
    keys: dict[str, Any], line: str, tmp_path: Path
) -> None:
    (shown,) = mistakes(with_promotion(**keys), tmp_path)
    assert line in shown


@pytest.mark.parametrize("name", ["all", "holdout"])
def test_names_of_the_results_are_no_names_of_promotions(name: str, tmp_path: Path) -> None:
    (line,) = mistakes(LEAST | {"promotions": {name: WHO}}, tmp_path)
    assert line.startswith(f"promotions.{name}: found '{name}'; choose a name other than all")


def test_a_currency_is_one_of_the_games(tmp_path: Path) -> None:
    money = {
        "fields": {**LEAST["fields"], "amount": "a", "currency": "c"},
        "currencies": {"USD": 1, "KRW": 0.0007},
    }
    content = with_promotion(**WHO, value={"cost": 1, "currency": "EUR"}) | money
    (line,) = mistakes(content, tmp_path)
    assert line.endswith("value.currency: found 'EUR'; use one of currencies: USD, KRW")


def test_mistakes_of_several_promotions_are_shown_at_once(tmp_path: Path) -> None:
    promotions = {"first": WHO | {"target": "joy"}, "second": WHO | {"cool_down": 1}}
    assert len(mistakes(LEAST | {"promotions": promotions}, tmp_path)) == 2


@pytest.mark.parametrize("keys", [WHO | {"from": "2026-03-01"}, {"assigned_by": "a.csv"}])
def test_a_game_that_is_written_and_read_again_is_the_same(
    keys: dict[str, str], tmp_path: Path
) -> None:
    game = load(with_promotion(**keys), tmp_path)
    assert Game.model_validate(game.model_dump(by_alias=True)) == game
