"""Rows into the results database: one load, in bulk, and proof that they arrived.

Belongs here: how the rows of one load get in, and how what is stored is compared with what was
given. Does not belong here: which load counts, transactions, and connections.

MySQL gets the rows as the text of LOAD DATA LOCAL INFILE, made while it is sent, in statements of
200,000 rows; a server that forbids it gets INSERTs of many rows. After each statement the server
makes a fingerprint of what it stored, and this side one of what it was given. It covers every
column of every row: text and integers as text, and reals by their bits, in the well-known binary
form of a point, because the text of a real differs from server to server.
"""

import datetime as dt
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from ds_assets.core.checksum import text_of
from ds_assets.core.schema import Table
from ds_assets.core.tables import PREDICTIONS
from ds_assets.infra.results.connection import error_code
from ds_assets.infra.results.schema import LOADS

_ROWS_A_STATEMENT = 200_000
_ROWS_AT_ONCE = 5_000
_FORBIDDEN = frozenset({1148, 3948, 4166})
"""Codes by which MySQL and MariaDB say that LOAD DATA LOCAL is not allowed."""
_WARNINGS_SHOWN = 3

_CONSTANT = ("as_of", "load_id")
_SENT = [name for name in PREDICTIONS.names if name not in _CONSTANT]
_TEXTS = [one.name for one in PREDICTIONS.columns if one.name in _SENT and one.type != "real"]
_REALS = [one.name for one in PREDICTIONS.columns if one.type == "real"]
_NO_TEXT = "\0"
_NO_REAL = -sys.float_info.max
"""What stands for a missing value in a fingerprint."""
_POINT = np.frombuffer(b"\x01\x01\x00\x00\x00", np.uint8)
"""Head of a point in well-known binary: little endian, and the type."""


class DeliveryDiffers(Exception):
    """The database holds something else than it was given; the day was rolled back."""


@dataclass(frozen=True)
class Load:
    """Where rows go: a day, and an id that no other load of it has."""

    as_of: dt.date
    load_id: int


def load_rows(connection: sa.Connection, load: Load, table: pa.Table) -> None:
    """Insert a load's rows, and compare what is stored with them.

    Args:
        connection: In a transaction that writes.
        load: A new one.
        table: Rows of `PREDICTIONS`, no user twice.

    Raises:
        DeliveryDiffers: something else is stored.
    """
    is_mysql = connection.dialect.name == "mysql"
    store, compare = (_store_in_mysql, _compare_in_mysql) if is_mysql else (_insert, _compare)
    after = ""
    for part in map(with_plain_zeros, _parts_by_user(table)):
        expected = store(connection, load, part)
        compare(connection, load, after, expected)
        after = part["user_id"][-1].as_py()


def read_rows(result: sa.CursorResult[Any], contract: Table) -> pa.Table:
    """What a query of a contract's columns found, with the contract's schema."""
    schema = contract.arrow_schema
    batches = [
        pa.record_batch(
            [
                pa.array(values, type=kind)
                for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)
            ],
            schema=schema,
        )
        for rows in result.partitions(_ROWS_AT_ONCE)
    ]
    return pa.Table.from_batches(batches, schema=schema)


def _parts_by_user(table: pa.Table) -> Iterator[pa.Table]:
    """The rows in the order of the primary key, which is where they go: it halves the time."""
    users = table["user_id"]
    starts = range(0, table.num_rows, _ROWS_A_STATEMENT)
    if pc.all(pc.less(users[:-1], users[1:])).as_py() is not False:
        yield from (table.slice(start, _ROWS_A_STATEMENT) for start in starts)
        return
    order = pc.sort_indices(users)
    yield from (table.take(order.slice(start, _ROWS_A_STATEMENT)) for start in starts)


def with_plain_zeros(part: pa.Table) -> pa.Table:
    """Rows with 0.0 in place of -0.0: not every database keeps them apart."""
    for place, field in enumerate(part.schema):
        if pa.types.is_floating(field.type):
            part = part.set_column(place, field, pc.add(part[field.name], 0.0))
    return part


def _insert(connection: sa.Connection, load: Load, part: pa.Table) -> pa.Table:
    # Tuples for the driver itself: with a dict a row it would take twice the time.
    statement = str(sa.insert(LOADS).compile(dialect=connection.dialect))
    for batch in part.to_batches(max_chunksize=_ROWS_AT_ONCE):
        columns = [_for_driver(column) for column in batch.columns]
        loads = [load.load_id] * batch.num_rows
        connection.exec_driver_sql(statement, list(zip(*columns, loads, strict=True)))
    return part


def _for_driver(column: pa.Array) -> list[Any]:
    # Both databases read a date from its ISO text; Python's sqlite3 no longer takes date objects.
    values = column.cast(pa.string()) if pa.types.is_date(column.type) else column
    return list(values.to_pylist())


def _compare(connection: sa.Connection, load: Load, after: str, part: pa.Table) -> None:
    query = sa.select(*(LOADS.c[name] for name in PREDICTIONS.names)).order_by(LOADS.c.user_id)
    found = connection.execute(query.where(*_stored_of(load, after)))
    stored = read_rows(found, PREDICTIONS)
    _refuse_other_count(load, part.num_rows, stored.num_rows)
    if not stored.equals(part):
        raise stored_differs(load.as_of)


@dataclass
class _Fingerprint:
    """Of rows: how many, and the exclusive or of a number for each.

    The number of a row is the product of two checksums: sums of checksums alone would not notice
    when two rows exchange a value.
    """

    rows: int = 0
    product: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        texts = _joined([batch[name].cast(pa.string()) for name in _TEXTS], _NO_TEXT)
        rows = batch.num_rows
        products = _checksums(texts.cast(pa.binary()).to_pylist()) * _checksums(_points_of(batch))
        self.rows += rows
        self.product ^= int(np.bitwise_xor.reduce(products))


def _checksums(contents: list[bytes]) -> np.ndarray:
    return np.fromiter(map(zlib.crc32, contents), np.uint64, len(contents))


def _points_of(batch: pa.RecordBatch) -> list[bytes]:
    """The reals of each row, two to a point."""
    reals = [
        np.asarray(batch[name].fill_null(_NO_REAL).to_numpy(zero_copy_only=False), "<f8")
        for name in _REALS
    ]
    if len(reals) % 2:
        reals.append(np.zeros(batch.num_rows))
    head = np.broadcast_to(_POINT, (batch.num_rows, len(_POINT)))
    columns = [np.ascontiguousarray(real).view(np.uint8).reshape(-1, 8) for real in reals]
    pieces = [
        piece for x, y in zip(columns[::2], columns[1::2], strict=True) for piece in (head, x, y)
    ]
    matrix = np.ascontiguousarray(np.concatenate(pieces, axis=1))
    contents: list[bytes] = matrix.view(f"V{matrix.shape[1]}").ravel().tolist()
    return contents


def _row_in_sql() -> sa.ColumnElement[int]:
    """The number of a row, as the server computes it from what it stored."""
    text = sa.func.concat_ws("\t", *(_text_in_sql(LOADS.c[name]) for name in _TEXTS))
    reals = [sa.func.coalesce(LOADS.c[name], _NO_REAL) for name in _REALS]
    points = [
        sa.func.ST_AsBinary(sa.func.point(x, y))
        for x, y in zip_longest(reals[::2], reals[1::2], fillvalue=0)
    ]
    return sa.func.crc32(text) * sa.func.crc32(
        points[0] if len(points) == 1 else sa.func.concat(*points)
    )


def _text_in_sql(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if column.name == "user_id":
        # The columns' collations differ; one that is said decides for all.
        return sa.collate(column, "utf8mb4_bin")
    return sa.func.coalesce(column, _NO_TEXT) if column.nullable else column


def _store_in_mysql(connection: sa.Connection, load: Load, part: pa.Table) -> _Fingerprint:
    try:
        return _load_file(connection, load, part)
    except sa.exc.DBAPIError as error:
        if error_code(error) not in _FORBIDDEN:
            raise
    _insert(connection, load, part)
    fingerprint = _Fingerprint()
    for batch in part.to_batches(max_chunksize=_ROWS_AT_ONCE):
        fingerprint.add(batch)
    return fingerprint


def _load_file(connection: sa.Connection, load: Load, part: pa.Table) -> _Fingerprint:
    fingerprint = _Fingerprint()
    driver: Any = connection.connection.driver_connection
    statement = (
        f"LOAD DATA LOCAL INFILE '{driver.OFFERED}' INTO TABLE {LOADS.name}"
        r" CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ESCAPED BY '\\'"
        rf" LINES TERMINATED BY '\n' ({', '.join(_SENT)}) SET as_of = %s, load_id = %s"
    )
    with driver.offering(_lines(part, fingerprint)):
        done = connection.exec_driver_sql(statement, (load.as_of, load.load_id))
    warnings = connection.exec_driver_sql(f"SHOW WARNINGS LIMIT {_WARNINGS_SHOWN}").all()
    _refuse_other_count(load, part.num_rows, done.rowcount)
    if warnings:
        said = "; ".join(str(warning[-1]) for warning in warnings)
        raise DeliveryDiffers(f"{load.as_of}: the database warns, the day was rolled back: {said}")
    return fingerprint


def _lines(part: pa.Table, fingerprint: _Fingerprint) -> Iterator[memoryview]:
    """The rows as LOAD DATA reads them; the fingerprint is taken while the server works."""
    for batch in part.to_batches(max_chunksize=_ROWS_AT_ONCE):
        fields = [_escaped(batch[name].cast(pa.string())) for name in _SENT]
        yield text_of(pc.binary_join_element_wise(_joined(fields, r"\N"), "", "\n"))
        fingerprint.add(batch)


def _joined(fields: list[pa.Array], missing: str) -> pa.Array:
    options = {"null_handling": "replace", "null_replacement": missing}
    return pc.binary_join_element_wise(*fields, "\t", **options)


def _escaped(field: pa.Array) -> pa.Array:
    content = bytes(text_of(field))
    for plain, escaped in ((b"\\", r"\\"), (b"\t", r"\t"), (b"\n", r"\n")):
        if plain in content:
            field = pc.replace_substring(field, plain.decode(), escaped)
    return field


def _compare_in_mysql(
    connection: sa.Connection, load: Load, after: str, expected: _Fingerprint
) -> None:
    query = sa.select(sa.func.count(), sa.func.bit_xor(_row_in_sql()))
    rows, product = connection.execute(query.where(*_stored_of(load, after))).one()
    _refuse_other_count(load, expected.rows, rows)
    if product != expected.product:
        raise stored_differs(load.as_of)


def _stored_of(load: Load, after: str) -> list[sa.ColumnElement[bool]]:
    """What is stored of a load, of users that come after one."""
    return [
        LOADS.c.as_of == load.as_of,
        LOADS.c.load_id == load.load_id,
        LOADS.c.user_id > after,
    ]


def _refuse_other_count(load: Load, delivered: int, stored: int) -> None:
    if stored != delivered:
        raise DeliveryDiffers(
            f"{load.as_of}: {delivered:,} rows were delivered and {stored:,} stored; "
            "the day was rolled back"
        )


def stored_differs(as_of: dt.date) -> DeliveryDiffers:
    """The error of a day whose rows did not arrive as they were given."""
    return DeliveryDiffers(
        f"{as_of}: the rows stored differ from those delivered; the day was rolled "
        "back. Look for triggers, a character set other than utf8mb4, or a narrower column"
    )
