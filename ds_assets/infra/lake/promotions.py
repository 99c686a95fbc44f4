"""Assignments of promotions in the lake: those that were made, and those that are in effect.

Scope: reading them. Storing a day is in `assets.promotions`, the rules are in `core.promotions`.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
import pyarrow as pa

from ds_assets.core.day_rows import DayRows
from ds_assets.core.merged_users import merge_by_user
from ds_assets.core.promotion_days import days_in_effect, days_looked_back
from ds_assets.core.promotions.assignment import is_withdrawn, select_in_effect
from ds_assets.core.promotions.decisions import Withdrawal
from ds_assets.core.tables import PLAYER_PROMOTIONS, PROMOTIONS
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.promotion_decisions import list_withdrawals
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import batch_readers, between, read_columns, stored_days

EARLIER = ("user_id", "promotion", "as_of", "until")
"""Columns of `PROMOTIONS` that decide on later assignments."""
_OF_ASSIGNMENTS = [name for name in PROMOTIONS.names if name in PLAYER_PROMOTIONS.names]


def usable_days(lake: Lake, game: Game) -> list[dt.date]:
    """The stored days of assignments that count, ascending: those of the game, if not refused."""
    refused = Records({}, lake).refused_days()
    stored = stored_days(PROMOTIONS.name, lake)
    return [day for day in stored if day >= game.first_day and day not in refused]


def read_assignments(days: Iterable[dt.date], columns: Sequence[str], lake: Lake) -> pd.DataFrame:
    """Read columns of `PROMOTIONS` of stored days, with dates as `datetime.date`."""
    frames = [read_columns(PROMOTIONS.name, day, columns, lake) for day in days]
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*columns])


def assignments_in_effect(day: dt.date, lake: Lake, game: Game) -> pa.Table:
    """The assignments in effect at the end of a day; see `rows_in_effect`.

    Returns:
        The columns of `PLAYER_PROMOTIONS`, in the order of its key.
    """
    return rows_in_effect(day, lake, game).to_table()


def rows_in_effect(day: dt.date, lake: Lake, game: Game) -> DayRows:
    """The assignments in effect at the end of a day: those that clients act on until the next one.

    Assignments of a refused day, those that were withdrawn, and those of a promotion that
    `game.yaml` no longer has, are not in effect.

    Args:
        day: The day.
        lake: Where assignments are stored.
        game: The game.

    Returns:
        Rows of `PLAYER_PROMOTIONS`, which are read and selected piece by piece.
    """
    first = day - dt.timedelta(days=days_in_effect(game))
    listed = between(usable_days(lake, game), first, day) if game.promotions else []
    withdrawals = list_withdrawals(lake)
    readers = batch_readers(PROMOTIONS, listed, lake, _OF_ASSIGNMENTS).values()

    def read() -> Iterator[pa.Table]:
        for rows in merge_by_user([read_day() for read_day in readers]):
            shown = _select_shown(rows.to_pandas(), day, withdrawals, game)
            yield pa.Table.from_pandas(shown, preserve_index=False)

    return DayRows(PLAYER_PROMOTIONS, day, read)


def _select_shown(
    assignments: pd.DataFrame, day: dt.date, withdrawals: Iterable[Withdrawal], game: Game
) -> pd.DataFrame:
    """Those of users' assignments that are in effect at the end of a day."""
    is_taken_back = is_withdrawn(assignments, withdrawals)
    is_known = assignments["promotion"].isin(game.promotions)
    rows = select_in_effect(assignments[is_known & ~is_taken_back], day)
    shown = rows.assign(assigned_on=rows["as_of"], as_of=day)
    # Of two assignments of a promotion, after a change of its target, the newer one counts.
    shown = shown.sort_values(["user_id", "promotion", "assigned_on"])
    shown = shown.drop_duplicates(["user_id", "promotion"], keep="last")
    return shown[PLAYER_PROMOTIONS.names]


@dataclass(frozen=True)
class AssignmentHistory:
    """What was assigned before days, each of which is read once.

    What was withdrawn does not count: nothing waits for its end or its cool-down.

    Attributes:
        lake: Where assignments are stored.
        game: The game.
    """

    lake: Lake
    game: Game
    _rows: dict[dt.date, pd.DataFrame] = field(default_factory=dict)

    def before(self, day: dt.date) -> pd.DataFrame:
        """The columns of `EARLIER` of assignments before a day that decide on those of the day."""
        first, last = (day - dt.timedelta(it) for it in (days_looked_back(self.game), 1))
        days = between(usable_days(self.lake, self.game), first, last)
        for old in [it for it in self._rows if it < first]:
            del self._rows[old]
        for listed in days:
            if listed not in self._rows:
                self._rows[listed] = read_assignments([listed], EARLIER, self.lake)
        rows = [self._rows[it] for it in days if len(self._rows[it])]
        if not rows:
            return pd.DataFrame(columns=[*EARLIER])
        earlier = pd.concat(rows, ignore_index=True)
        return earlier[~is_withdrawn(earlier, self._withdrawals)]

    @cached_property
    def _withdrawals(self) -> tuple[Withdrawal, ...]:
        return list_withdrawals(self.lake)
