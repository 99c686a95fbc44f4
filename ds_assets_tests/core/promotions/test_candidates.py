"""Users qualify by what is stored of them, in whichever table it is."""

import datetime as dt
from contextlib import ExitStack
from typing import Any

import pandas as pd

from ds_assets.core.promotions.candidates import (
    candidates_from_outside,
    candidates_of,
    features_read,
    qualify,
    reads_targets,
)
from ds_assets.core.schema import Table
from ds_assets.core.tables import PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.game import CustomTarget, Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.engines.duckdb import open_duckdb
from ds_assets.infra.engines.spark_tables import TYPES
from ds_assets_tests.core.promotions.factories import NO_EFFECTS, START, make_promoted_game

RISKS = {"a": 0.1, "b": 0.5, "c": 0.9, "d": None}
COUNTRIES = {"a": "KR", "b": "JP", "c": "KR"}
CUPS = {"a": 0.3, "c": 0.7}
TARGETS = {"cup": CustomTarget(event=("win",), horizon=7)}


def make_rows(table: Table, rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [tuple(row.get(name) for name in table.names) for row in rows]


def ddl(table: Table) -> str:
    return ", ".join(f"{column.name} {TYPES[column.type]}" for column in table.columns)


def users_of(game: Game, engine: LakeEngine) -> pd.DataFrame:
    """Rows of `qualify` for the users above, in order."""
    day: dict[str, dt.date] = {"as_of": START}
    stored: dict[str, list[dict[str, Any]]] = {
        PREDICTIONS.name: [
            {"user_id": user, "churn_probability": risk, "cluster": 2} | day
            for user, risk in RISKS.items()
        ],
        "user_features": [{"user_id": user, "last_country": it} for user, it in COUNTRIES.items()],
        TARGET_PREDICTIONS.name: [
            {"user_id": user, "target": "cup", "probability": it} | day for user, it in CUPS.items()
        ],
    }
    with ExitStack() as stack:
        frames = [
            None
            if table is None
            else stack.enter_context(
                engine.values(make_rows(table, stored[table.name]), ddl(table))
            )
            for table in (
                PREDICTIONS,
                features_read(game),
                TARGET_PREDICTIONS if reads_targets(game) else None,
            )
        ]
        rows = engine.to_pandas(qualify(frames[0], frames[1], frames[2], game, engine))
    return rows.sort_values("user_id", ignore_index=True)


def test_values_come_from_predictions_features_and_targets(engine: LakeEngine) -> None:
    rules = {
        "risky": {"who": "churn_probability > 0.4"},
        "korean": {"who": "country in (KR) and coalesce(cup_probability, 0) < 0.5"},
        "winner": {"who": "cup_probability > 0.5 and cluster = 2", "target": "cup"},
    }
    game = make_promoted_game(rules, targets=TARGETS)
    users = users_of(game, engine)
    qualified = {
        name: set(candidates_of(name, users, NO_EFFECTS, game).users["user_id"]) for name in rules
    }
    assert qualified == {"risky": {"b", "c"}, "korean": {"a"}, "winner": {"c"}}
    (winner,) = candidates_of("winner", users, NO_EFFECTS, game).users.to_dict("records")
    assert (winner["target_probability"], winner["churn_probability"]) == (0.7, 0.9)
    assert "d" not in set(users["user_id"])


def test_a_condition_may_name_a_value_twice_beside_others_of_another_table(
    engine: LakeEngine,
) -> None:
    rules = {
        "middle": {"who": "churn_probability between 0.2 and 0.8"},
        "korean": {"who": "churn_probability > 0.05 and country in (KR)"},
    }
    game = make_promoted_game(rules)
    users = users_of(game, engine)
    qualified = {
        name: set(candidates_of(name, users, NO_EFFECTS, game).users["user_id"]) for name in rules
    }
    assert qualified == {"middle": {"b"}, "korean": {"a", "c"}}


def test_users_are_chosen_by_what_the_policy_says_of_them(engine: LakeEngine) -> None:
    game = make_promoted_game({"each": {"who": "true"}, "risky": {}})
    effects = pd.DataFrame(
        [("a", "each", True), ("b", "each", False), ("c", "each", None), ("c", "risky", True)],
        columns=NO_EFFECTS.columns,
    )
    users = users_of(game, engine)
    treats = {}
    for name in game.promotions:
        candidates = candidates_of(name, users, effects, game)
        assert candidates.treats is not None
        treats[name] = dict(zip(candidates.users["user_id"], candidates.treats, strict=True))
    assert treats["each"] == {"a": True, "b": False, "c": None, "d": None}
    assert treats["risky"] == {"b": None, "c": True}


def test_tables_that_no_condition_looks_at_are_not_read() -> None:
    game = make_promoted_game()
    assert features_read(game) is None
    assert not reads_targets(game)
    assert users_of(game, open_duckdb(512, 2))["user_id"].tolist() == ["b", "c"]
    features = features_read(make_promoted_game({"a": {"who": "spend_28d > 1 and level = 2"}}))
    assert features is not None
    assert features.names == ["user_id", "spend_28d", "last_level"]


def test_users_from_outside_qualify_if_they_are_predicted() -> None:
    game = make_promoted_game({"listed": {"who": None, "assigned_by": "users.csv"}})
    users = users_of(game, open_duckdb(512, 2))
    arms = {"a": "treated", "d": "control", "gone": "treated"}
    candidates = candidates_from_outside("listed", users, arms, game)
    assert candidates.arms is not None
    chosen = dict(zip(candidates.users["user_id"], candidates.arms, strict=True))
    assert chosen == {"a": "treated", "d": "control"}
