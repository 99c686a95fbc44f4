"""The names that a condition may use: columns of the predictions, features, attributes, targets.

Scope: which names there are in a game, and where their values are stored. What a condition does
with them is in `conditions`.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from ds_assets.core.game_tables import user_features_table
from ds_assets.core.schema import Column, ColumnType
from ds_assets.core.tables import PREDICTIONS, TARGET_PREDICTIONS
from ds_assets.core.targets import EXPECTED_SPEND, custom_targets
from ds_assets.game import Game

Kind = Literal["number", "text", "date", "boolean"]
"""What a condition knows of a value."""

_KINDS: Mapping[ColumnType, Kind] = {
    "text": "text",
    "integer": "number",
    "real": "number",
    "date": "date",
    "boolean": "boolean",
}


class StoredValue(NamedTuple):
    """Where the value of a name is stored, for each user of a day.

    Attributes:
        kind: What the value is.
        table: Name of the table.
        column: Column of the table.
        target: The target whose row of `TARGET_PREDICTIONS` it is in; empty for other tables.
    """

    kind: Kind
    table: str
    column: str
    target: str = ""


def find_names(game: Game) -> Mapping[str, StoredValue]:
    """Every name that a condition of a game may use, with where its value is stored.

    An attribute has its own name, unless a column has it: then it is written `last_NAME`.
    """
    features = user_features_table(game)
    names: dict[str, StoredValue] = {}
    for table in (PREDICTIONS, features):
        for column in table.columns:
            if column.type in _KINDS and column.name not in names:
                names[column.name] = _stored(column, table.name)
    for name, target in custom_targets(game).items():
        values = {target.probability_column: "probability"}
        if target.amount_column is not None:
            values[f"{name}_{EXPECTED_SPEND}"] = EXPECTED_SPEND
        for own, column_name in values.items():
            names[own] = StoredValue("number", TARGET_PREDICTIONS.name, column_name, name)
    by_column = {column.name: column for column in features.columns}
    for name in game.attributes:
        names.setdefault(name, _stored(by_column[f"last_{name}"], features.name))
    return names


def _stored(column: Column, table: str) -> StoredValue:
    return StoredValue(_KINDS[column.type], table, column.name)
