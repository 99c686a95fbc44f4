"""The users of a day who qualify for promotions, with what is known of them.

Scope: one frame of an engine over predictions, features and targets of a day, and the candidates of
each promotion from its rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

import pandas as pd

from ds_assets.core.engine import DataFrame, Engine, plan_once
from ds_assets.core.game_settings import FEATURES
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.promotions.assignment import COVARIATES, Candidates
from ds_assets.core.promotions.condition_names import StoredValue, find_names
from ds_assets.core.promotions.conditions import Condition, read_conditions
from ds_assets.core.schema import Table
from ds_assets.core.tables import PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.core.targets import targets_of
from ds_assets.game import Game

USER_ID = "user_id"
_OF_PREDICTIONS = [name for name in COVARIATES if name != "target_probability"]


def features_read(game: Game) -> Table | None:
    """The part of `user_features` that conditions of a game look at; None without any."""
    table = user_features_table(game)
    names = {it.column for it in _values_read(game).values() if it.table == FEATURES}
    columns = tuple(it for it in table.columns if it.name in names | {USER_ID})
    return replace(table, columns=columns) if names - {USER_ID} else None


def reads_targets(game: Game) -> bool:
    """Whether promotions of a game look at `TARGET_PREDICTIONS`."""
    return any(it.table == TARGET_PREDICTIONS.name for it in _values_read(game).values())


@plan_once
def qualify(
    predictions: DataFrame,
    features: DataFrame | None,
    targets: DataFrame | None,
    game: Game,
    engine: Engine,
) -> DataFrame:
    """Find the users of a day that meet conditions.

    Args:
        predictions: The columns of `PREDICTIONS` of the day.
        features: Those of `features_read`; None where it is None.
        targets: Those of `TARGET_PREDICTIONS`; None unless `reads_targets`.
        game: The game.
        engine: Engine that runs it.

    Returns:
        user_id; the covariates of `PREDICTIONS`; TARGET_probability for each target of a promotion;
        and meets_NAME for each promotion with a condition. Users that meet none are left out,
        unless a promotion is assigned from outside.
    """
    f = engine.functions
    values, conditions = _values_read(game), read_conditions(game)
    joined = _join(predictions, features, targets, values.values(), f)
    # SQLFrame cannot resolve a column of a join that an expression names twice, as `between` does.
    frame = joined.select(*joined.columns)
    columns = {name: f.col(_alias(stored)) for name, stored in values.items()}
    met = {name: it.build(f, columns).alias(_met(name)) for name, it in conditions.items()}
    own = _probabilities(game, values)
    selected = frame.select(
        *(f.col(name) for name in (USER_ID, *_OF_PREDICTIONS)),
        *(f.col(_alias(stored)).alias(_own(target)) for target, stored in own.items()),
        *met.values(),
    )
    if not met or any(it.assigned_by is not None for it in game.promotions.values()):
        return selected
    return selected.where(reduce(or_, (f.col(_met(name)) for name in met)))


def candidates_of(name: str, users: pd.DataFrame, effects: pd.DataFrame, game: Game) -> Candidates:
    """The users that meet the condition of a promotion.

    Args:
        name: Name of the promotion.
        users: Rows of `qualify`.
        effects: Rows of `USER_EFFECTS` of the day.
        game: The game.
    """
    own = effects[effects["promotion"] == name]
    treats = dict(zip(own[USER_ID], own["treats"], strict=True))
    qualified = select_qualified(name, users)
    of_qualified = [treats.get(it) for it in qualified[USER_ID]]
    return Candidates(_describe(qualified, name, game), treats=of_qualified)


def select_qualified(name: str, users: pd.DataFrame) -> pd.DataFrame:
    """The rows of `qualify` whose users meet the condition of a promotion."""
    return users[users[_met(name)].astype(bool)]


def candidates_from_outside(
    name: str, users: pd.DataFrame, arms: Mapping[str, str], game: Game
) -> Candidates:
    """The users of a day that have an arm from outside.

    Args:
        name: Name of the promotion.
        users: Rows of `qualify`.
        arms: Arm of each user.
        game: The game.
    """
    own = users[users[USER_ID].isin(arms.keys())]
    return Candidates(_describe(own, name, game), [arms[it] for it in own[USER_ID]])


def _describe(users: pd.DataFrame, name: str, game: Game) -> pd.DataFrame:
    probabilities = users[_own(game.promotions[name].target)]
    described = users.assign(target_probability=probabilities)[[USER_ID, *COVARIATES]]
    return described.reset_index(drop=True)


def _values_read(game: Game) -> dict[str, StoredValue]:
    """What conditions and promotions of a game look at, by name."""
    conditions: Iterable[Condition] = read_conditions(game).values()
    by_condition = {name: it for condition in conditions for name, it in condition.names.items()}
    names, targets = find_names(game), targets_of(game)
    own = (targets[it.target].probability_column for it in game.promotions.values())
    return by_condition | {name: names[name] for name in own}


def _probabilities(game: Game, values: Mapping[str, StoredValue]) -> dict[str, StoredValue]:
    """Where the probability of each target of a promotion is stored."""
    targets = targets_of(game)
    return {
        it.target: values[targets[it.target].probability_column] for it in game.promotions.values()
    }


def _join(
    predictions: DataFrame,
    features: DataFrame | None,
    targets: DataFrame | None,
    values: Iterable[StoredValue],
    f: Any,
) -> DataFrame:
    frame, listed = predictions, list(dict.fromkeys(values))
    if features is not None:
        own = [it for it in listed if it.table == FEATURES and it.column != USER_ID]
        columns = [f.col(it.column).alias(_alias(it)) for it in own]
        frame = frame.join(features.select(USER_ID, *columns), on=USER_ID, how="left")
    return frame if targets is None else _join_targets(frame, targets, listed, f)


def _join_targets(
    frame: DataFrame, targets: DataFrame, values: Sequence[StoredValue], f: Any
) -> DataFrame:
    for target in dict.fromkeys(it.target for it in values if it.target):
        columns = [f.col(it.column).alias(_alias(it)) for it in values if it.target == target]
        rows = targets.where(f.col("target") == f.lit(target)).select(USER_ID, *columns)
        frame = frame.join(rows, on=USER_ID, how="left")
    return frame


def _alias(stored: StoredValue) -> str:
    """Name of a value in the joined frame; a column of predictions keeps its own."""
    if stored.table == PREDICTIONS.name or stored.column == USER_ID:
        return stored.column
    return "_".join(filter(None, [stored.table, stored.target, stored.column]))


def _met(promotion: str) -> str:
    return f"meets_{promotion}"


def _own(target: str) -> str:
    return f"probability_of_{target}"
