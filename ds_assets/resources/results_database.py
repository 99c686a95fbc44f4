"""The results database: predictions of whole days, in SQLite or MySQL.

Belongs here: its tables, how a day gets in all or nothing, and how rows are read back.
Does not belong here: how predictions are made, Dagster, and changes of the schema over versions.

What is current is not stored: the view `player_predictions_current` shows the rows of the newest
day in `deliveries`. So a delivery publishes itself with its commit, at a cost that does not grow
with its rows, and an older day can never stand in front of a newer one.
"""

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.schema import CreateView
from sqlalchemy.types import TypeEngine
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from ds_assets.core.checksum import checksum, predictions_of
from ds_assets.core.tables import PREDICTIONS, Column, ColumnType
from ds_assets.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

KEY_LENGTH = 191
"""Most characters of a user id."""

_ROWS_A_STATEMENT = 5_000
_IDS_A_QUERY = 1_000
_LOCK_SECONDS = 60
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 60


class ResultsUnavailable(Exception):  # noqa: N818 - it names a state, not a fault of the caller
    """The results database cannot be reached, or refuses what it is asked."""


class DeliveryDiffers(Exception):  # noqa: N818 - as above
    """The database holds something else than it was given; the day was rolled back."""


@dataclass(frozen=True)
class Delivery:
    """One day in the results database.

    Attributes:
        as_of: The day.
        run_id: The run that delivered it last.
        row_count: Its rows.
        checksum: Fingerprint of its rows, see `ds_assets.core.checksum`.
        delivered_at: When it was delivered, UTC, to the second.
    """

    as_of: dt.date
    run_id: str
    row_count: int
    checksum: str
    delivered_at: dt.datetime


class _KeyText(sa.types.TypeDecorator[str]):
    """Text that is equal only to itself: case counts, and so do spaces at its end."""

    impl = sa.String(KEY_LENGTH)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = sa.String(KEY_LENGTH)
        if isinstance(dialect, mysql.dialect):
            collation = "utf8mb4_nopad_bin" if dialect.is_mariadb else "utf8mb4_0900_bin"
            kind = mysql.VARCHAR(KEY_LENGTH, charset="utf8mb4", collation=collation)
        return dialect.type_descriptor(kind)


_SQL_TYPES: dict[ColumnType, type[TypeEngine[Any]]] = {
    "text": sa.Text,
    "integer": sa.BigInteger,
    "real": sa.Double,
    "date": sa.Date,
}


def _sql_column(column: Column) -> sa.Column[Any]:
    is_text_key = column.type == "text" and column.name in PREDICTIONS.key
    return sa.Column(
        column.name,
        _KeyText if is_text_key else _SQL_TYPES[column.type],
        nullable=column.nullable,
        comment=column.meaning,
    )


METADATA = sa.MetaData()
"""Every table and view of the results database."""
_PREDICTIONS = sa.Table(
    f"player_{PREDICTIONS.name}",
    METADATA,
    *(_sql_column(column) for column in PREDICTIONS.columns),
    sa.PrimaryKeyConstraint(*PREDICTIONS.key),
    sqlite_with_rowid=False,
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
_DELIVERIES = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("as_of", sa.Date, primary_key=True, comment="The day delivered."),
    sa.Column("run_id", sa.String(255), nullable=False, comment="Run that delivered it last."),
    sa.Column("row_count", sa.BigInteger, nullable=False, comment="Rows of the day."),
    sa.Column("checksum", sa.String(64), nullable=False, comment="SHA-256 of the day's rows."),
    sa.Column("delivered_at", sa.DateTime, nullable=False, comment="When, in UTC."),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)
_NEWEST_DAY = sa.select(sa.func.max(_DELIVERIES.c.as_of).label("as_of"))
_CURRENT = CreateView(
    sa.select(_PREDICTIONS).where(_PREDICTIONS.c.as_of == _NEWEST_DAY.scalar_subquery()),
    f"{_PREDICTIONS.name}_current",
    metadata=METADATA,
).table


class ResultsDatabase:
    """The results database at one address; nothing is connected before it is needed.

    It may be shared by threads. What is missing of the schema is created at the first use.

    Args:
        url: SQLAlchemy URL, `sqlite:///…` or `mysql+pymysql://…`.

    Raises:
        InputError: the URL is not one.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):
            # What it cannot read may hold a password, so it is not shown.
            raise InputError(
                "DS_ASSETS_RESULTS_URL is not a database URL; accepted is for example "
                "sqlite:////folder/results.sqlite or mysql+pymysql://user:password@host/database"
            ) from None
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._has_schema = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. A later use opens new ones."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def ensure_schema(self) -> None:
        """Create the tables and the view that are missing.

        Raises:
            ResultsUnavailable: the database cannot be used, or does not let this user create.
        """
        if self._has_schema:
            return
        missing = self._missing()
        while missing:
            try:
                with self._begin(writing=True) as connection:
                    METADATA.create_all(connection)
                break
            except ResultsUnavailable:
                missing, before = self._missing(), missing
                if missing == before:  # or else somebody else is creating it at this moment
                    raise
        self._has_schema = True

    def deliver(
        self, as_of: dt.date, predictions: "pa.Table | pd.DataFrame", run_id: str
    ) -> Delivery:
        """Put one day's predictions in place of whatever the day had, all or nothing.

        The rows are read back and compared before they are committed. Delivering the same rows
        again changes nothing but the run and the time of the delivery.

        Args:
            as_of: The day.
            predictions: A row a user, the columns of `PREDICTIONS`, every `as_of` this day.
            run_id: The run that made them, 255 characters at most.

        Raises:
            ValueError: the rows break the column contract, are of another day, or hold a user id
                that is too long.
            DeliveryDiffers: the database stored something else; the day stays as it was.
            ResultsUnavailable: the database cannot be used; the day stays as it was.
        """
        # In the order of the primary key, which is where the rows go: it halves the time.
        table = predictions_of(as_of, predictions).sort_by("user_id")
        _check_lengths(table)
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        delivery = Delivery(as_of, run_id, table.num_rows, checksum(table), now)
        with self._transaction(writing=True) as connection:
            _announce(connection, delivery)
            connection.execute(sa.delete(_PREDICTIONS).where(_PREDICTIONS.c.as_of == as_of))
            _insert(connection, table)
            _verify(delivery, _rows_of(connection, as_of))
        return delivery

    def current(self, user_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of these users on the newest delivered day, in no order; unknown users have none.

        Args:
            user_ids: Any number; they are asked for in batches, one query each.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        rows: list[dict[str, Any]] = []
        with self._transaction() as connection:
            for start in range(0, len(user_ids), _IDS_A_QUERY):
                batch = user_ids[start : start + _IDS_A_QUERY]
                query = sa.select(_CURRENT).where(_CURRENT.c.user_id.in_(batch))
                rows += (dict(row) for row in connection.execute(query).mappings())
        return rows

    def current_day(self) -> dt.date | None:
        """The newest delivered day; none, where nothing has been delivered.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        with self._transaction() as connection:
            newest: dt.date | None = connection.scalar(_NEWEST_DAY)
            return newest

    def day(self, as_of: dt.date) -> pa.Table:
        """Rows of one day, with the schema of `PREDICTIONS`; no rows, where it was not delivered.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        with self._transaction() as connection:
            return _rows_of(connection, as_of)

    def deliveries(self) -> list[Delivery]:
        """Every delivered day, the newest first.

        Raises:
            ResultsUnavailable: the database cannot be used.
        """
        with self._transaction() as connection:
            query = sa.select(_DELIVERIES).order_by(_DELIVERIES.c.as_of.desc())
            return [
                Delivery(**{**row, "delivered_at": row["delivered_at"].replace(tzinfo=dt.UTC)})
                for row in connection.execute(query).mappings()
            ]

    def _missing(self) -> set[str]:
        with self._begin() as connection:
            look = sa.inspect(connection)
            return set(METADATA.tables) - {*look.get_table_names(), *look.get_view_names()}

    @contextmanager
    def _transaction(self, *, writing: bool = False) -> Iterator[sa.Connection]:
        self.ensure_schema()
        with self._begin(writing=writing) as connection:
            yield connection

    @contextmanager
    def _begin(self, *, writing: bool = False) -> Iterator[sa.Connection]:
        try:
            with self._connected().connect() as connection:
                if writing:
                    _prepare_to_write(connection)
                with connection.begin():
                    yield connection
        except (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError) as error:
            raise ResultsUnavailable(self._complaint(error)) from error

    def _connected(self) -> sa.Engine:
        with self._lock:
            if self._engine is None:
                is_sqlite = self._url.get_backend_name() == "sqlite"
                self._engine = (_sqlite_engine if is_sqlite else _mysql_engine)(self._url)
            return self._engine

    def _complaint(self, error: Exception) -> str:
        # Put together anew: user, password and options are left behind.
        url = self._url
        where = sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig else error
        reason = cause.args[-1] if cause.args else type(cause).__name__
        return f"the results database at {where} (DS_ASSETS_RESULTS_URL) cannot be used: {reason}"


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"timeout": _LOCK_SECONDS, "isolation_level": None}
    )

    sa.event.listen(engine, "connect", _let_readers_read_on)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later fails at once when another one writes;
        # one that says from the start that it will write waits for its turn.
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _is_busy(error: BaseException) -> bool:
    busy = sqlite3.SQLITE_BUSY
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == busy


# SQLite waits for every lock but the one that turns a new file to WAL, when two do that at once.
@retry(
    retry=retry_if_exception(_is_busy),
    stop=stop_after_delay(_LOCK_SECONDS),
    wait=wait_random(0.001, 0.02),
    reraise=True,
)
def _let_readers_read_on(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


def _mysql_engine(url: sa.URL) -> sa.Engine:
    return sa.create_engine(
        url,
        hide_parameters=True,
        paramstyle="format",  # by position, for _insert
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _ANSWER_SECONDS,
            "write_timeout": _ANSWER_SECONDS,
        },
    )


def _prepare_to_write(connection: sa.Connection) -> None:
    connection.execution_options(writing=True)
    if connection.dialect.name == "mysql":
        # Without locks on the gaps between rows, two days can be delivered at once.
        connection.execution_options(isolation_level="READ COMMITTED")


def _check_lengths(table: pa.Table) -> None:
    longest = pc.max(pc.utf8_length(table["user_id"])).as_py() or 0
    if longest > KEY_LENGTH:
        raise ValueError(
            f"a user id has {longest} characters; the results database takes {KEY_LENGTH}"
        )


def _announce(connection: sa.Connection, delivery: Delivery) -> None:
    """Write the delivery's row; first of all, because it makes others wait who want this day."""
    row = {**asdict(delivery), "delivered_at": delivery.delivered_at.replace(tzinfo=None)}
    update = {name: value for name, value in row.items() if name != "as_of"}
    statement: sa.Insert
    if connection.dialect.name == "mysql":
        statement = mysql.insert(_DELIVERIES).values(row).on_duplicate_key_update(update)
    else:
        statement = (
            sqlite.insert(_DELIVERIES)
            .values(row)
            .on_conflict_do_update(index_elements=["as_of"], set_=update)
        )
    connection.execute(statement)


def _insert(connection: sa.Connection, table: pa.Table) -> None:
    # Tuples for the driver itself: with a dict a row it would take twice the time.
    statement = str(sa.insert(_PREDICTIONS).compile(dialect=connection.dialect))
    for batch in table.to_batches(max_chunksize=_ROWS_A_STATEMENT):
        columns = [_for_driver(column) for column in batch.columns]
        connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))


def _for_driver(column: pa.Array) -> list[Any]:
    # Both databases read a date from its ISO text; Python's sqlite3 no longer takes date objects.
    values = column.cast(pa.string()) if pa.types.is_date(column.type) else column
    return list(values.to_pylist())


def _rows_of(connection: sa.Connection, as_of: dt.date) -> pa.Table:
    schema = PREDICTIONS.arrow_schema
    query = sa.select(_PREDICTIONS).where(_PREDICTIONS.c.as_of == as_of)
    batches = [
        pa.record_batch(
            [
                pa.array(values, type=kind)
                for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)
            ],
            schema=schema,
        )
        for rows in connection.execute(query).partitions(_ROWS_A_STATEMENT)
    ]
    return pa.Table.from_batches(batches, schema=schema)


def _verify(delivery: Delivery, stored: pa.Table) -> None:
    if stored.num_rows != delivery.row_count:
        raise DeliveryDiffers(
            f"{delivery.as_of}: {delivery.row_count:,} rows were delivered and "
            f"{stored.num_rows:,} stored; the day was rolled back"
        )
    if checksum(stored) != delivery.checksum:
        raise DeliveryDiffers(
            f"{delivery.as_of}: the rows stored differ from those delivered; the day was rolled "
            "back. Look for triggers, a character set other than utf8mb4, or a narrower column"
        )
