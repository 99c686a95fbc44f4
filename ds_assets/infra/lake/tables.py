"""Tables in the lake: each day of a table is one Parquet file.

Scope: naming, listing, reading and writing these files. The columns are declared in `core.tables`.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import pandas as pd
import pyarrow as pa
from pyarrow import dataset, parquet
from pyarrow.compute import Expression, field

from ds_assets.core.day_rows import DayRows
from ds_assets.core.schema import Table
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.stored_tables import TABLE_FORMAT, read_format, upgrade_rows, with_format
from ds_assets.core.tables import (
    CLUSTERS,
    EVENT_IDS,
    PREDICTIONS,
    PROMOTION_CHANGES,
    PROMOTION_OFFERS,
    PROMOTION_OUTCOMES,
    PROMOTION_RESULTS,
    QUARANTINE,
    TARGET_PREDICTIONS,
)
from ds_assets.core.user_samples import sample_condition
from ds_assets.errors import InputError
from ds_assets.infra.lake.base import Lake, LakeObject, day_folder, day_of

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)

_ROWS_PER_BATCH = 5_000
_BUFFER_BYTES = 1 << 20
_ASSETS = {
    EVENT_IDS.name: "user_activity",
    PROMOTION_OFFERS.name: PROMOTION_CHANGES.name,
    QUARANTINE.name: "user_activity",
    TARGET_PREDICTIONS.name: "predictions",
    PROMOTION_OUTCOMES.name: PROMOTION_RESULTS.name,
}
"""The asset that stores a table with another name."""


class StoredDay(NamedTuple):
    """A stored day of a table: a local file, and the names of its columns."""

    file: Path
    columns: list[str]


def table_file(table: str, day: dt.date) -> str:
    """Return the name of the file with a day of a table."""
    return f"{day_folder(table, day)}/{table}.parquet"


def stored_days(table: str, lake: Lake) -> dict[dt.date, LakeObject]:
    """List the stored days of a table with their files, ascending."""
    days = {}
    for item in lake.objects(table):
        day = day_of(item.name.split("/")[1])
        if day is not None and item.name == table_file(table, day):
            days[day] = item
    return days


def between(days: Iterable[dt.date], first: dt.date, last: dt.date) -> list[dt.date]:
    """Return the days that are in a range, both ends included."""
    return [day for day in days if first <= day <= last]


def refuse_missing_columns(day: dt.date, stored: Iterable[str], table: Table) -> None:
    """Refuse a stored day without all columns of its table, apart from recent ones.

    Raises:
        InputError: a column is missing.
    """
    required = {column.name for column in table.columns if not column.is_recent}
    missing = sorted(required - set(stored))
    if missing:
        raise InputError(
            f"{table.name} of {day} lacks {', '.join(missing)}, which the game file or the "
            "software has added since; materialize its days again"
        )


def damaged_day(table: str, day: dt.date, reason: str) -> DamagedDayError:
    """The error of a stored day of a table that cannot be read."""
    what = f"{table_file(table, day)} is damaged ({reason})"
    return DamagedDayError(what, _ASSETS.get(table, table), day)


def open_days(table: str, days: Iterable[dt.date], lake: Lake) -> dict[dt.date, StoredDay]:
    """Open stored days of a table, in the format of this release.

    A day of an earlier format is upgraded in the lake, once.

    Raises:
        NewerFormatError: a day is of a newer release.
        DamagedDayError: the file of a day cannot be read.
    """
    listed = list(days)
    files = lake.local_files(table_file(table, day) for day in listed)
    return {day: _open_day(table, day, file, lake) for day, file in zip(listed, files, strict=True)}


def open_day(table: str, day: dt.date, lake: Lake) -> StoredDay:
    """Open a stored day of a table; see `open_days`."""
    return open_days(table, [day], lake)[day]


def _open_day(table: str, day: dt.date, file: Path, lake: Lake) -> StoredDay:
    name = table_file(table, day)
    try:
        schema = parquet.read_schema(file)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise damaged_day(table, day, str(error)) from None
    version = read_format(schema, name)
    if version == TABLE_FORMAT:
        return StoredDay(file, schema.names)
    stored = parquet.read_table(file, partitioning=None)
    store_rows(upgrade_rows(table, stored, version), table, day, lake)
    return _open_day(table, day, lake.local(name), lake)


def columns_of_days(table: str, days: Sequence[dt.date], lake: Lake) -> dict[dt.date, set[str]]:
    """Names of the columns that stored days of a table have."""
    return {day: set(stored.columns) for day, stored in open_days(table, days, lake).items()}


def read_columns(table: str, day: dt.date, columns: Sequence[str], lake: Lake) -> pd.DataFrame:
    """Read the given columns of a stored day, without those that it does not have."""
    file, stored = open_day(table, day, lake)
    present = [name for name in columns if name in stored]
    frame: pd.DataFrame = parquet.read_table(file, columns=present, partitioning=None).to_pandas()
    return frame


def read_rows(
    table: Table,
    day: dt.date,
    lake: Lake,
    users: Iterable[str] | None = None,
    columns: Sequence[str] = (),
) -> pa.Table:
    """Read a stored day of a table: all of its rows, or those of some users.

    Args:
        table: The table.
        day: A stored day of it.
        lake: Where it lies.
        users: The users, whose rows are read without holding those of the others; none for all.
        columns: Names of columns of the table; none for all.

    Raises:
        InputError: a column is missing.
    """
    stored = _open_whole(table, day, lake)
    present = _present(columns or table.names, stored)
    if users is None:
        rows = parquet.read_table(stored.file, columns=present, partitioning=None)
    else:
        chosen = field("user_id").isin(pa.array(users, pa.string()))
        rows = _select(stored.file, present, chosen)
    return _with_columns(table, columns or table.names, rows)


def read_batches(
    table: Table, day: dt.date, lake: Lake, columns: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Read a stored day of a table some rows at a time, in their order, without holding the others.

    Args:
        table: The table.
        day: A stored day of it.
        lake: Where it lies.
        columns: Names of columns of the table; none for all.

    Raises:
        InputError: a column is missing.
        DamagedDayError: the file cannot be read, perhaps after some rows.
    """
    return batch_readers(table, [day], lake, columns)[day]()


def batch_readers(
    table: Table, days: Iterable[dt.date], lake: Lake, columns: Sequence[str] = ()
) -> dict[dt.date, Callable[[], Iterator[pa.RecordBatch]]]:
    """Open stored days of a table, each of which can be read from its beginning again and again.

    A day is downloaded here where it must be; see `read_batches` for what a reader does.

    Raises:
        InputError: a column is missing.
    """
    names = columns or table.names
    opened = open_days(table.name, days, lake)
    for day, stored in opened.items():
        refuse_missing_columns(day, stored.columns, table)
    return {day: partial(_read_batches, table, day, it, names) for day, it in opened.items()}


def stored_rows(table: Table, day: dt.date, lake: Lake) -> DayRows:
    """The rows of a stored day of a table, which are read piece by piece, as often as needed.

    Rows that are not in the order of the key are damage.

    Raises:
        InputError: a column is missing.
    """
    read = batch_readers(table, [day], lake)[day]
    return DayRows(table, day, read, partial(damaged_day, table.name, day))


def _open_whole(table: Table, day: dt.date, lake: Lake) -> StoredDay:
    stored = open_day(table.name, day, lake)
    refuse_missing_columns(day, stored.columns, table)
    return stored


def _read_batches(
    table: Table, day: dt.date, stored: StoredDay, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    present = _present(columns, stored)
    try:
        # Without pre-buffering: it would read a million rows into memory before the first batch.
        with parquet.ParquetFile(stored.file, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
            for batch in file.iter_batches(_ROWS_PER_BATCH, columns=present):
                yield _with_columns(table, columns, batch)
    except (pa.ArrowException, OSError) as error:
        raise damaged_day(table.name, day, str(error)) from None


def _select(file: Path, columns: list[str], condition: Expression) -> pa.Table:
    """Read the rows that fulfil a condition, holding few others."""
    # By default, row groups are read ahead of the condition, which may take a gigabyte.
    options = dataset.ParquetFragmentScanOptions(
        pre_buffer=False, use_buffered_stream=True, buffer_size=_BUFFER_BYTES
    )
    file_format = dataset.ParquetFileFormat(default_fragment_scan_options=options)
    return dataset.dataset(file, format=file_format).to_table(
        columns=columns,
        filter=condition,
        batch_size=_ROWS_PER_BATCH,
        batch_readahead=1,
        fragment_readahead=1,
    )


def _present(columns: Sequence[str], stored: StoredDay) -> list[str]:
    return [name for name in columns if name in stored.columns]


def _with_columns(table: Table, columns: Sequence[str], rows: Rows) -> Rows:
    """Rows with the columns of the table, in their order and with their types."""
    schema = pa.schema([table.arrow_schema.field(name) for name in columns])
    return with_recent_columns(table, rows).select(list(columns)).cast(schema)


def read_sample(table: Table, day: dt.date, lake: Lake, share: float) -> pa.Table:
    """Read the rows of a share of the users, without holding those of the others.

    Args:
        table: The table.
        day: A stored day of it.
        lake: Where it lies.
        share: Share of all users; see `sample_condition`.

    Raises:
        InputError: a column is missing.
    """
    if share >= 1:
        return read_rows(table, day, lake)
    import duckdb  # noqa: PLC0415  # slow to import, and not always used

    file = str(_open_whole(table, day, lake).file)
    with duckdb.connect() as connection:
        chosen = connection.read_parquet(file).filter(sample_condition(share))
        return _with_columns(table, table.names, chosen.to_arrow_table())


def count_rows(table: str, day: dt.date, lake: Lake) -> int:
    """Count the rows of a stored day of a table, without reading them."""
    return int(parquet.read_metadata(open_day(table, day, lake).file).num_rows)


def with_recent_columns(table: Table, stored: Rows) -> Rows:
    """Add those columns without values that a file of an earlier version lacks."""
    for column in table.columns:
        if column.is_recent and column.name not in stored.schema.names:
            field = table.arrow_schema.field(column.name)
            stored = stored.append_column(field, pa.nulls(stored.num_rows, field.type))
    return stored


def store_rows(rows: pa.Table, table: str, day: dt.date, lake: Lake) -> None:
    """Store a day's rows, replacing those that were stored before.

    Rows of tables that `stored_rows` reads must be in the order of the key.
    """
    with lake.writing({day: table_file(table, day)}) as staged:
        parquet.write_table(with_format(rows), staged[day])


def read_clusters(day: dt.date, lake: Lake) -> pd.DataFrame | None:
    """The stored clusters of a day; None where there are none."""
    if not lake.exists(table_file(CLUSTERS.name, day)):
        return None
    stored = read_columns(CLUSTERS.name, day, CLUSTERS.names, lake)
    return stored if len(stored) else None


def read_target_batches(
    day: dt.date, lake: Lake, columns: Sequence[str] = ()
) -> Iterator[pa.RecordBatch]:
    """Read the stored predictions of the game's own targets on a day; see `read_batches`.

    There are none where the game had no such target.
    """
    if has_target_predictions(day, lake):
        yield from read_batches(TARGET_PREDICTIONS, day, lake, columns)


def stored_target_predictions(day: dt.date, lake: Lake) -> DayRows:
    """The rows of the game's own targets on a day, see `stored_rows`; none where it had none."""
    if not has_target_predictions(day, lake):
        return DayRows(TARGET_PREDICTIONS, day, list)
    return stored_rows(TARGET_PREDICTIONS, day, lake)


def has_target_predictions(day: dt.date, lake: Lake) -> bool:
    """Whether predictions of the game's own targets are stored of a day."""
    return lake.exists(table_file(TARGET_PREDICTIONS.name, day))


def read_predictions(
    day: dt.date, lake: Lake, columns: Sequence[str] = PREDICTIONS.names
) -> pa.Table:
    """Read columns of the stored predictions of a day."""
    return read_rows(PREDICTIONS, day, lake, columns=columns)
