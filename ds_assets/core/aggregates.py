"""Aggregate expressions that give the same result on every engine and for every order of rows.

Scope: expressions that are used by more than one table. `f` is the engine's module of column
functions, see `engine`.
"""

from typing import Any

from ds_assets.core.attribute_texts import shortened
from ds_assets.game import Game


def latest(f: Any, time: str, value: str) -> Any:
    """The non-null value with the latest time; of several at that time, the greatest."""
    timed = f.when(f.col(value).isNotNull(), f.struct(f.col(time), f.col(value)))
    return f.max(timed).getField(value)


def latest_attribute(f: Any, name: str, time: str, value: str, game: Game) -> Any:
    """The latest value of an attribute, within the bound on texts."""
    last = latest(f, time, value)
    return shortened(f, last) if game.attributes[name].type == "text" else last


def exact_sum(f: Any, values: Any) -> Any:
    """Sum of reals, exact to a millionth; a sum of doubles would depend on the order of rows."""
    # Rounded before the cast: engines differ in how a cast to decimal rounds.
    millionths = f.round(values * f.lit(1e6)).cast("decimal(38,0)")
    return f.sum(millionths).cast("double") / f.lit(1e6)
