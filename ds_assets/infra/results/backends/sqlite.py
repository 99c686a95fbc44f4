"""SQLite: a file beside the installation, for one machine."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.types import TypeEngine
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from ds_assets.infra.results.backends.base import Backend, Part
from ds_assets.infra.results.backends.rows import insert_rows, read_rows
from ds_assets.infra.results.errors import DeliveryDiffers

_LOCK_SECONDS = 60
"""Longest wait for the one transaction that may write at a time."""

_NO_DATABASE = ("file is not a database", "unable to open database file")
"""Errors of a path that is not a database, and cannot become one."""


class SQLiteBackend(Backend):
    """A file, which is made when it is first used. One transaction at a time writes."""

    file_options = ()
    unstorable_character = ""
    has_transactional_ddl = True

    def open_engine(self, url: sa.URL) -> sa.Engine:
        """See `Backend`. Readers see the last commit while another process writes."""
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            connect_args={"timeout": _LOCK_SECONDS, "isolation_level": None},
        )

        @sa.event.listens_for(engine, "do_connect")
        def _make_folder(*_: object) -> None:
            if url.database:
                Path(url.database).parent.mkdir(parents=True, exist_ok=True)

        @sa.event.listens_for(engine, "begin")
        def _begin(connection: sa.Connection) -> None:
            # A transaction that reads first and writes later fails at once when another one writes;
            # one that declares at the start that it will write waits for its turn.
            writing = connection.get_execution_options().get("writing", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

        sa.event.listen(engine, "connect", _enable_write_ahead_log)
        return engine

    def transaction_options(self, *, writing: bool) -> Mapping[str, Any]:
        """See `Backend`."""
        return {"writing": writing}

    def is_transient(self, error: BaseException) -> bool:
        """See `Backend`: never, because SQLite itself waits for locks."""
        del error
        return False

    def is_denied(self, error: BaseException) -> bool:
        """See `Backend`. There are no accounts; a path may be a folder or another file."""
        return any(text in str(error) for text in _NO_DATABASE)

    def explain(self, error: BaseException, url: sa.URL) -> str:
        """See `Backend`."""
        del url
        return str(error)

    def key_type(self, length: int, dialect: sa.Dialect) -> TypeEngine[str]:
        """See `Backend`: the default collation compares bytes."""
        del dialect
        return sa.String(length)

    def as_bytes(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
        """See `Backend`."""
        return sa.cast(text, sa.LargeBinary)

    def days_between(
        self, later: sa.ColumnElement[Any], earlier: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[int]:
        """See `Backend`."""
        return sa.cast(sa.func.julianday(later) - sa.func.julianday(earlier), sa.Integer)

    def json_rows(self, parameter: str, types: Mapping[str, str]) -> str:
        """See `Backend`."""
        columns = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in types)
        return f"(SELECT {columns} FROM json_each(:{parameter}))"

    def prepare_lookups(self, connection: sa.Connection) -> None:
        """See `Backend`: nothing to prepare."""
        del connection

    def lookup(self, *, columns: str, keys: str, view: str, condition: str) -> str:
        """See `Backend`: a cross join is never reordered."""
        return f"SELECT {columns} FROM {keys} CROSS JOIN {view} AS stored ON {condition}"

    def load(self, connection: sa.Connection, part: Part) -> None:
        """See `Backend`: INSERTs, after which the rows are read back."""
        insert_rows(connection, part)
        query = sa.select(*(part.table.c[name] for name in part.contract.names))
        stored = connection.execute(query.where(part.is_stored).order_by(*part.order))
        rows = read_rows(stored, part.contract)
        part.require_count(rows.num_rows)
        if not rows.equals(part.rows):
            raise DeliveryDiffers.in_rows(part.load.as_of)

    def upsert_and_lock(self, table: sa.Table, row: Mapping[str, Any]) -> sa.Insert:
        """See `Backend`: the transaction has the only lock already."""
        return sqlite.insert(table).values(row).on_conflict_do_nothing()

    def replace_view(self, connection: sa.Connection, name: str, query: str) -> None:
        """See `Backend`: both statements are one transaction's."""
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")

    @contextmanager
    def schema_lock(self, connection: sa.Connection) -> Iterator[bool]:
        """See `Backend`: a transaction that writes is alone, also for changes of the schema."""
        del connection
        yield True


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
def _enable_write_ahead_log(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()


BACKEND = SQLiteBackend()
