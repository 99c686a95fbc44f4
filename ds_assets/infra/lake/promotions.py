"""Assignments of promotions in the lake: those that were made, and those that are in effect.

Scope: reading them. Storing a day is in `assets.promotions`, the rules are in `core.promotions`.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

import pandas as pd
import pyarrow as pa

from ds_assets.core.contracts import conform
from ds_assets.core.open_days import most_days
from ds_assets.core.promotions.assignment import select_in_effect
from ds_assets.core.tables import PLAYER_PROMOTIONS, PROMOTIONS
from ds_assets.game import Game
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.tables import between, read_columns, stored_days


def usable_days(lake: Lake, game: Game) -> list[dt.date]:
    """The stored days of assignments that count, ascending: those that are not refused."""
    refused = open_records(game, lake).refused_days()
    return [day for day in stored_days(PROMOTIONS.name, lake) if day not in refused]


def read_assignments(days: Iterable[dt.date], columns: Sequence[str], lake: Lake) -> pd.DataFrame:
    """Read columns of `PROMOTIONS` of stored days, with dates as `datetime.date`."""
    frames = [read_columns(PROMOTIONS.name, day, columns, lake) for day in days]
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*columns])


def assignments_in_effect(day: dt.date, lake: Lake, game: Game) -> pa.Table:
    """The assignments in effect at the end of a day: those that clients act on until the next one.

    Assignments of a refused day, and of a promotion that `game.yaml` no longer has, are not in
    effect.

    Args:
        day: The day.
        lake: Where assignments are stored.
        game: The game.

    Returns:
        The columns of `PLAYER_PROMOTIONS`, in the order of its key.
    """
    first = day - dt.timedelta(days=days_in_effect(game))
    columns = [it for it in (*PLAYER_PROMOTIONS.names, "as_of") if it != "assigned_on"]
    listed = between(usable_days(lake, game), first, day) if game.promotions else []
    made_before = read_assignments(listed, list(dict.fromkeys(columns)), lake)
    rows = select_in_effect(made_before[made_before["promotion"].isin(game.promotions)], day)
    shown = rows.assign(assigned_on=rows["as_of"], as_of=day)
    # Of two assignments of a promotion, after a change of its target, the newer one counts.
    shown = shown.sort_values(["user_id", "promotion", "assigned_on"])
    shown = shown.drop_duplicates(["user_id", "promotion"], keep="last")
    return conform(PLAYER_PROMOTIONS, shown[PLAYER_PROMOTIONS.names])


def days_in_effect(game: Game) -> int:
    """Days before a day whose assignments can be in effect at its end, closed days included."""
    horizons = [game.horizon_of(it.target) for it in game.promotions.values()]
    return most_days(max(horizons, default=0), game.closed_days)
