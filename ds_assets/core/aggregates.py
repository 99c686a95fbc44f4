"""Aggregate expressions that give the same result on every engine and for every order of rows.

Scope: expressions that are used by more than one table. `f` is the engine's module of column
functions, see `engine`.
"""

from collections.abc import Sequence
from typing import Any

from ds_assets.core.attribute_texts import shortened
from ds_assets.game import Game


def latest(f: Any, order: Sequence[Any], value: str) -> Any:
    """The non-null value that is last by some columns; of several in one place, the greatest."""
    ordered = f.when(f.col(value).isNotNull(), f.struct(*order, f.col(value)))
    return f.max(ordered).getField(value)


def greatest(f: Any, order: Sequence[Any], name: str, condition: Any = None) -> Any:
    """A column, in the row that is last by some columns; of the rows that fit a condition."""
    last = order[0] if len(order) == 1 else f.struct(*order)
    last = f.max(last if condition is None else f.when(condition, last))
    return last if len(order) == 1 else last.getField(name)


def latest_attribute(f: Any, name: str, order: Sequence[Any], value: str, game: Game) -> Any:
    """The latest value of an attribute, within the bound on texts."""
    last = latest(f, order, value)
    return shortened(f, last) if game.attributes[name].type == "text" else last


def exact_sum(f: Any, values: Any) -> Any:
    """Sum of reals, exact to a millionth; a sum of doubles would depend on the order of rows."""
    # Rounded before the cast: engines differ in how a cast to decimal rounds.
    millionths = f.round(values * f.lit(1e6)).cast("decimal(38,0)")
    return f.sum(millionths).cast("double") / f.lit(1e6)
