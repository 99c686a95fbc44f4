"""The interface of engines, which run feature code and read and write the lake's tables.

Scope: what assets may rely on. The engines are DuckDB in the process and Spark.
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
"""Computes rows from a batch of rows. It is sent to the processes that hold the batches."""


class EventReader(Protocol):
    """Reads raw files of a game, some at a time.

    Get the frames again after each call of `read`: they may be new objects.
    """

    @property
    def frame(self) -> DataFrame:
        """The events frame of the files read last; see `core.events`."""
        ...

    @property
    def bad_lines(self) -> DataFrame:
        """The invalid lines, with the column dt and those of QUARANTINE, without duplicates.

        Each damaged file has a row without a line number.
        """
        ...

    @property
    def event_ids(self) -> DataFrame:
        """The ids of the events read last: dt and the columns of EVENT_IDS."""
        ...

    def read(self, objects: Sequence[RawObject], lake: Lake) -> None:
        """Read files of any number of days, replacing those read before.

        Events that the stored ids of earlier days have are marked as duplicates.
        """
        ...


class LakeEngine(Engine, Protocol):
    """An engine that reads and writes the lake's tables."""

    def events(self, game: Game) -> AbstractContextManager[EventReader]:
        """Open a reader of a game's raw files, whose frames are valid within the context."""
        ...

    def read(
        self, days: Iterable[dt.date], table: Table, lake: Lake
    ) -> AbstractContextManager[DataFrame]:
        """Open stored days of a table: a frame that is valid within the context.

        A later context may have the same frame with other rows; see `plan_once`.

        Args:
            days: Stored days; without any, the frame is empty.
            table: The table.
            lake: Where it is stored.

        Returns:
            The day, named dt, and the columns of the table.

        Raises:
            InputError: a day lacks a column.
            DamagedDayError: the file of a day cannot be read.
        """
        ...

    def store(
        self, frame: DataFrame, table: Table, by: str, days: Iterable[dt.date], lake: Lake
    ) -> dict[dt.date, int]:
        """Write the rows of each day to the lake, all days or none, sorted by the key.

        Args:
            frame: The columns of the table, and `by`.
            table: The table.
            by: Column with the day.
            days: Days to write. A day without rows becomes an empty file.
            lake: Where to write.

        Returns:
            The number of rows of each day.
        """
        ...

    def map(self, frame: DataFrame, function: BatchFunction, table: Table) -> DataFrame:
        """Apply a function to the rows of a frame, in batches.

        Args:
            frame: The rows.
            function: Receives the rows of a batch, with dates and times as pandas has them.
            table: Contract of the rows that it returns.

        Returns:
            The columns of the table. The frame is valid until the next call.

        Raises:
            ValueError: returned rows violate the contract.
        """
        ...

    def to_pandas(self, frame: DataFrame) -> pd.DataFrame:
        """Collect the rows of a frame, with dates as pandas timestamps."""
        ...


def map_batches(
    batches: Iterable[pa.RecordBatch], function: BatchFunction, table: Table
) -> Iterator[pa.RecordBatch]:
    """Apply a function to batches, and validate the rows that it returns."""
    for batch in batches:
        if batch.num_rows:
            for rows in function(batch.to_pandas(date_as_object=False)):
                yield from conform(table, rows).to_batches()
