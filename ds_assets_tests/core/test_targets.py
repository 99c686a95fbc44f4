"""Targets are declared in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ds_assets
from ds_assets.core.labels import MIN_SNAPSHOTS
from ds_assets.core.targets import BUILT_IN, Target, custom_targets, targets_of
from ds_assets.game import CustomTarget, Events, Fields, Horizons
from ds_assets_tests.core.factories import FIRST_DAY, make_game

PACKAGE = Path(ds_assets.__file__).parent
MAY_NAME_TARGETS = (
    *("core/targets.py", "infra/results/migrations/", "demo/", "simulate/"),
    *("serving/http/examples.py", "game_promotions.py"),
)
"""The declaration, and the default of a promotion, which comes before it; migrations, which are
history; and games that know what they predict, also in examples of replies, which must fit the
schema that is made from the declaration."""
NAMES = {target.name for target in BUILT_IN}
COLUMNS = {
    column
    for target in BUILT_IN
    for column in (
        target.probability_column,
        target.reasons_column,
        target.missing_column,
        target.model_column,
        target.amount_column,
    )
    if column is not None
}


def target_names(source: str) -> Iterator[str]:
    """Names of targets, and of their columns, that code mentions: as a text, or as an attribute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and node.value in NAMES | COLUMNS:
            yield f"line {node.lineno}: {node.value!r}"
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            yield f"line {node.lineno}: .{node.attr}"


def test_only_the_declaration_names_a_target() -> None:
    paths = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    named = {
        name: names
        for name, path in paths.items()
        if not name.startswith(MAY_NAME_TARGETS)
        and (names := list(target_names(path.read_text(encoding="utf-8"))))
    }
    assert named == {}


@pytest.mark.parametrize(
    "source",
    [
        'x = 1 if target == "churn" else 2',
        'for target in ("churn", "payment"): ...',
        "models.payment",
        'row["churn_probability"]',
    ],
)
def test_a_branch_on_a_target_is_found(source: str) -> None:
    assert list(target_names(source))
    assert not list(target_names('"""What churn is."""\ntarget.name == other'))


def test_a_target_takes_its_horizon_grace_and_groups_from_the_game() -> None:
    game = make_game(horizons={"churn": 3, "payment": 9}, user_groups="country", grace_days=2)
    churn, payment = targets_of(game).values()
    assert (churn.name, churn.horizon, churn.maturity_days) == ("churn", 3, 5)
    assert (payment.name, payment.horizon, payment.maturity_days) == ("payment", 9, 11)
    assert {churn.user_groups, payment.user_groups} == {"country"}
    assert {churn.first_day, payment.first_day} == {FIRST_DAY}


@pytest.mark.parametrize(("horizon", "weeks"), [(14, 1), (77, 1), (78, 2), (365, 5)])
def test_snapshots_of_a_long_horizon_are_further_apart(horizon: int, weeks: int) -> None:
    target: Target = targets_of(make_game(horizons={"churn": horizon}))["churn"]
    assert target.step == 7 * weeks
    assert target.step * (MIN_SNAPSHOTS - 1) >= horizon


@pytest.mark.parametrize(
    ("horizon", "users", "snapshots"),
    [
        (14, 0, 26),
        (14, 2_000, 26),
        (14, 10_000, 20),
        (14, 100_000, 12),
        (100, 2_000, 13),
        (365, 2_000, 12),
    ],
)
def test_models_of_few_users_learn_from_more_snapshots(
    horizon: int, users: int, snapshots: int
) -> None:
    target = targets_of(make_game(horizons={"churn": horizon}))["churn"]
    assert target.count_snapshots(users) == snapshots <= target.max_snapshots


def custom(name: str = "mine", **declared: Any) -> Target:
    game = make_game(
        events=Events(purchases=("purchase",)),
        fields=Fields(user_id="u", event_time="t", event_type="e", amount="a"),
        targets={name: CustomTarget(**{"horizon": 7, **declared})},
    )
    return custom_targets(game)[name]


def test_custom_targets_follow_the_built_in_ones() -> None:
    game = make_game(
        targets={
            "b": CustomTarget(inactive=True, horizon=60),
            "a": CustomTarget(event=("x",), horizon=7),
        }
    )
    assert list(targets_of(game)) == ["churn", "payment", "b", "a"]
    assert list(custom_targets(game)) == ["b", "a"]
    assert [target.is_built_in for target in targets_of(game).values()] == [
        True,
        True,
        False,
        False,
    ]
    assert custom_targets(game)["b"].label == targets_of(game)["churn"].label


def test_events_of_the_named_types_make_a_user_positive() -> None:
    target = custom(event=("level_10", "level_20"))
    assert target.label.count_columns == ["count_level_10", "count_level_20"]
    assert (target.label.measure, target.label.at_least) == ("events", 1)
    assert target.wording.outcome == "at least one level_10 or level_20 event"
    assert target.users == "every active user"


def test_spend_makes_a_user_positive_from_the_named_amount_on() -> None:
    target = custom(spend_at_least=50.0, population="has_paid", horizon=30)
    assert (target.label.measure, target.label.at_least) == ("spend", 50)
    assert target.label.count_columns == []
    assert target.wording.positives == "users who spent at least 50"
    assert target.users == "every active user with a purchase so far"
    assert target.horizon == 30


def test_another_definition_is_another_text_and_another_name_is_not() -> None:
    definitions = {
        custom(event=("a",)).definition,
        custom(event=("b",)).definition,
        custom(event=("a",), horizon=8).definition,
        custom(event=("a",), population="never_paid").definition,
        custom(inactive=True).definition,
    }
    assert len(definitions) == 5
    assert custom("other", event=("a",)).definition in definitions
    assert {target.definition for target in BUILT_IN} == {None}


def test_each_horizon_of_spend_is_a_target_for_a_purchase_with_an_amount() -> None:
    game = make_game(
        horizons=Horizons(payment=9, spend=(30, 90)),
        fields=Fields(user_id="u", event_time="t", event_type="e", amount="a"),
        events=Events(purchases=("buy",)),
    )
    targets = custom_targets(game)
    assert tuple(targets) == game.target_names == ("spend_30", "spend_90")
    payment = targets_of(game)["payment"]
    for target, horizon in zip(targets.values(), (30, 90), strict=True):
        assert target.horizon == horizon
        assert (target.label, target.amount_column) == (payment.label, payment.amount_column)
        assert not target.is_built_in
        assert target.definition is not None
    assert targets["spend_90"].step > targets["spend_30"].step


def test_a_game_without_horizons_of_spend_has_no_such_target() -> None:
    assert list(targets_of(make_game())) == ["churn", "payment"]
