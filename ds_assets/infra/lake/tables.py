"""Tables in the lake: a day of a table is one Parquet file.

Belongs here: where such a file lies, which there are, and writing one that is in memory. What the
columns mean is declared in `core.tables`.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ds_assets.core.schema import Table
from ds_assets.core.tables import PREDICTIONS
from ds_assets.errors import InputError
from ds_assets.infra.lake.base import Lake, LakeObject, day_folder, day_of


def table_file(table: str, day: dt.date) -> str:
    """Name in the lake of a day's rows of a table."""
    return f"{day_folder(table, day)}/{table}.parquet"


def stored_days(table: str, lake: Lake) -> dict[dt.date, LakeObject]:
    """Days of a table that are stored, ascending, and what the lake says of each."""
    found = {}
    for one in lake.objects(table):
        day = day_of(one.name.split("/")[1])
        if day is not None and one.name == table_file(table, day):
            found[day] = one
    return found


def between(days: Iterable[dt.date], first: dt.date, last: dt.date) -> list[dt.date]:
    """Those of the days that lie in a range."""
    return [day for day in days if first <= day <= last]


def refuse_missing_columns(day: dt.date, found: Iterable[str], table: Table) -> None:
    """Refuse a stored day without all columns of its table.

    Raises:
        InputError: it lacks a column.
    """
    lacking = sorted(set(table.names) - set(found))
    if lacking:
        raise InputError(
            f"{table.name} of {day} lacks {', '.join(lacking)}: it was made with another game "
            "file; materialize its days again"
        )


def read_columns(table: str, day: dt.date, columns: Sequence[str], lake: Lake) -> pd.DataFrame:
    """Those of the columns that a stored day has, in this order."""
    file = lake.local(table_file(table, day))
    present = set(parquet.read_schema(file).names)
    chosen = [name for name in columns if name in present]
    frame: pd.DataFrame = parquet.read_table(file, columns=chosen, partitioning=None).to_pandas()
    return frame


def read_rows(table: Table, day: dt.date, lake: Lake) -> pa.Table:
    """A stored day of a table.

    Raises:
        InputError: it lacks a column.
    """
    stored = parquet.read_table(lake.local(table_file(table.name, day)), partitioning=None)
    refuse_missing_columns(day, stored.column_names, table)
    return stored.select(table.names).cast(table.arrow_schema)


def store_rows(rows: pa.Table, table: str, day: dt.date, lake: Lake) -> None:
    """Write a day's rows, which are in memory, to the lake."""
    with lake.writing({day: table_file(table, day)}) as staged:
        parquet.write_table(rows, staged[day])


def read_predictions(day: dt.date, lake: Lake) -> pa.Table:
    """The stored predictions of a day."""
    return read_rows(PREDICTIONS, day, lake)
