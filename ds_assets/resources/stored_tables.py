"""Tables in the lake: a day of a table is one Parquet file.

Belongs here: where such a file lies, and writing it whole. What the columns mean is declared in
`core.tables`.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

from ds_assets.core.engine import DataFrame
from ds_assets.core.tables import Table
from ds_assets.resources.lake import FolderLake, day_folder

if TYPE_CHECKING:  # who only looks a file up, as serving does, need not wait for an engine
    from ds_assets.resources.engine import DuckDBEngine


def table_file(table: str, day: dt.date) -> str:
    """Name in the lake of a day's rows of a table."""
    return f"{day_folder(table, day)}/{table}.parquet"


def stored_days(table: str, first: dt.date, last: dt.date, lake: FolderLake) -> dict[dt.date, Path]:
    """Files of a table's days in a range, of those that there are."""
    span = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    names = {day: table_file(table, day) for day in span}
    return {day: lake.local(name) for day, name in names.items() if lake.exists(name)}


def row_counts(table: str, lake: FolderLake) -> Callable[[dt.date], int]:
    """Rows of a table's stored days, by day; each file is asked once, however often a day is."""

    @cache
    def rows(day: dt.date) -> int:
        return int(parquet.read_metadata(lake.local(table_file(table, day))).num_rows)

    return rows


def store(
    frame: DataFrame,
    table: Table,
    by: str,
    days: Iterable[dt.date],
    lake: FolderLake,
    engine: "DuckDBEngine",
) -> dict[dt.date, int]:
    """Write the rows of each day to the lake, all days or none. Returns the rows of each day."""
    with lake.writing({day: table_file(table.name, day) for day in days}) as staged:
        return engine.write(frame, table, by, staged)


def store_rows(rows: pa.Table, table: str, day: dt.date, lake: FolderLake) -> None:
    """Write a day's rows, which are in memory, to the lake."""
    with lake.writing({day: table_file(table, day)}) as staged:
        parquet.write_table(rows, staged[day])
