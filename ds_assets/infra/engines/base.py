"""What the assets need of an engine: feature code, and the lake's tables in and out of it.

Belongs here: what every engine can do. The engines are DuckDB in the process and Spark.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pandas as pd
import pyarrow as pa

from ds_assets.core.contracts import conform
from ds_assets.core.engine import DataFrame, Engine
from ds_assets.core.schema import Table
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.raw_logs import RawObject

BatchFunction = Callable[[pd.DataFrame], Iterable[pd.DataFrame]]
"""Makes rows of a batch of rows; it travels to where the batch is."""


class EventReader(Protocol):
    """Raw files of a game, some at a time.

    The frames are to be asked for after each reading: an engine that plans a frame once gives the
    same one again, and one whose frames are bound to what they read gives others.
    """

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
            InputError: a day lacks a column.
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

    def map(self, frame: DataFrame, function: BatchFunction, table: Table) -> DataFrame:
        """Rows that a function makes of a frame's rows, a batch of them at a time.

        Args:
            frame: The rows.
            function: Is given the rows of a batch, dates and times as pandas has them.
            table: What it makes.

        Returns:
            The columns of the table, until the next call.

        Raises:
            ValueError: what the function made breaks the table's contract.
        """
        ...

    def to_pandas(self, frame: DataFrame) -> pd.DataFrame:
        """Rows of a frame, in memory; dates as pandas' times."""
        ...


def map_batches(
    batches: Iterable[pa.RecordBatch], function: BatchFunction, table: Table
) -> Iterator[pa.RecordBatch]:
    """What a function makes of batches, as its table declares it."""
    for batch in batches:
        if batch.num_rows:
            for rows in function(batch.to_pandas(date_as_object=False)):
                yield from conform(table, rows).to_batches()
