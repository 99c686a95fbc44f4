"""Rows in and out by plain SQL, which all products understand."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ds_assets.core.schema import Table
from ds_assets.infra.results.backends.base import MAX_ROWS_PER_BATCH, Part


def insert_rows(connection: sa.Connection, part: Part) -> None:
    """Insert a part's rows by INSERT statements of many rows."""
    # Tuples for the driver itself: a dict for each row would take twice the time.
    statement = str(sa.insert(part.table).compile(dialect=connection.dialect))
    for batch in part.batches():
        columns = [_driver_values(column) for column in batch.columns]
        load_ids = [part.load.load_id] * batch.num_rows
        connection.exec_driver_sql(statement, list(zip(*columns, load_ids, strict=True)))


def read_batches(result: sa.CursorResult[Any], contract: Table) -> Iterator[pa.RecordBatch]:
    """Convert the result of a query of a contract's columns to its schema, while it arrives."""
    schema = contract.arrow_schema
    for rows in result.partitions(MAX_ROWS_PER_BATCH):
        columns = zip(zip(*rows, strict=True), schema.types, strict=True)
        yield pa.record_batch([pa.array(values, kind) for values, kind in columns], schema=schema)


def read_rows(result: sa.CursorResult[Any], contract: Table) -> pa.Table:
    """Convert the whole result of such a query."""
    return pa.Table.from_batches(read_batches(result, contract), schema=contract.arrow_schema)


def _driver_values(column: pa.Array) -> list[Any]:
    # Databases read a date from its ISO text; Python's sqlite3 no longer takes date objects.
    values = column.cast(pa.string()) if pa.types.is_date(column.type) else column
    return list(values.to_pylist())
