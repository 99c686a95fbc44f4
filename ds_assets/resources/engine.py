"""What the assets need of an engine: feature code, and the lake's tables in and out of it.

Belongs here: what every engine can do. The engines are DuckDB in the process and Spark.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pandas as pd

from ds_assets.core.engine import DataFrame, Engine
from ds_assets.core.tables import Table
from ds_assets.game import Game
from ds_assets.resources.ingestion import RawObject
from ds_assets.resources.lake import Lake


class EventReader(Protocol):
    """Raw files of a game, some at a time, behind frames that stay the same."""

    @property
    def frame(self) -> DataFrame:
        """The events frame of the files that were read last, see `core.events`."""
        ...

    @property
    def bad_lines(self) -> DataFrame:
        """Column dt and those of QUARANTINE: each line that is no event and no duplicate.

        A row without a line stands for each file that broke off.
        """
        ...

    def read(self, objects: Sequence[RawObject], lake: Lake) -> None:
        """Read files of any number of days, in place of those before."""
        ...


class LakeEngine(Engine, Protocol):
    """What every engine can do."""

    def events(self, game: Game) -> AbstractContextManager[EventReader]:
        """A reader of a game's raw files, whose frames live within the context."""
        ...

    def read(self, days: Iterable[dt.date], table: Table, lake: Lake) -> DataFrame:
        """Stored days of a table.

        Args:
            days: Days that are stored; none gives an empty frame.
            table: What they hold.
            lake: Where they are.

        Returns:
            dt, the day, and the columns of the table.

        Raises:
            InputError: a day lacks a column, as after a change of the game file.
        """
        ...

    def store(
        self, frame: DataFrame, table: Table, by: str, days: Iterable[dt.date], lake: Lake
    ) -> dict[dt.date, int]:
        """Write the rows of each day to the lake, all days or none, in the order of the key.

        Args:
            frame: `by` and the columns of the table.
            table: Columns, types and order.
            by: Column that holds the day.
            days: Days to write; one without rows becomes an empty table.
            lake: Where to.

        Returns:
            Rows of each day.
        """
        ...

    def to_pandas(self, frame: DataFrame) -> pd.DataFrame:
        """Rows of a frame, in memory."""
        ...
