"""PostgreSQL 14 and later, through psycopg 3.

Scope: connections with a bound for each kind of wait, and the backend. How rows are encoded and
compared is in `postgresql_rows`.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg import errors
from psycopg.abc import PQGen
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from ds_assets.errors import InputError
from ds_assets.infra.results.backends import SETTING
from ds_assets.infra.results.backends.base import (
    COMMIT_SECONDS,
    CONNECT_SECONDS,
    LOCK_SECONDS,
    POOL_SECONDS,
    SCHEMA_CHANGE_SECONDS,
    SCHEMA_LOCK_SECONDS,
    STATEMENT_SECONDS,
    Backend,
    Part,
)
from ds_assets.infra.results.backends.postgresql_rows import (
    RowsDigest,
    encode_copy,
    rows_digest_sql,
)
from ds_assets.infra.results.errors import DeliveryDiffers

_GRACE_SECONDS = 5
"""The client waits this much longer than the statement timeout, so that the server reports it."""
_SEND_SECONDS = 20
"""Longest wait for the server to take a piece of rows."""
_CONNECTION_OPTIONS = {
    "connect_timeout": CONNECT_SECONDS,
    "client_encoding": "utf8",
    # A host that is lost is detected within half a minute, however long a result may take.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_SESSION = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "jit": "off",  # compiling a look-up takes longer than running it
}
_LOOKUP_SETTINGS = {"enable_seqscan": "off", "cpu_index_tuple_cost": "1000"}
_DENIED = re.compile(
    r"FATAL: +(password authentication|no password|no pg_hba\.conf entry|role|database|permission)"
    r"|no password supplied"
)
"""What a server says that refuses the account or the database; its code does not reach the driver
while it connects."""
_TRANSIENT = (
    errors.OperationalError,  # lost, refused or timed out, among them 08 and 57P
    errors.LockNotAvailable,
    errors.SerializationFailure,
    errors.DeadlockDetected,
)
_Result = TypeVar("_Result")


class PostgreSQLConnection(psycopg.Connection[Any]):
    """A connection of psycopg with a timeout for each kind of wait."""

    _result_seconds: float = STATEMENT_SECONDS + _GRACE_SECONDS

    @classmethod
    def open(cls, options: Mapping[str, Any]) -> Self:
        """Connect, and bound what a statement may take.

        Args:
            options: psycopg's.

        Raises:
            psycopg.OperationalError: The server did not accept the connection in time.
        """
        connection = cls.connect(**{**options, **_CONNECTION_OPTIONS})
        with connection.transaction():
            for name, value in _SESSION.items():
                connection.execute("SELECT set_config(%s, %s, false)", [name, value])
        return connection

    def wait(
        self, gen: PQGen[_Result], interval: float = 0.1, timeout: float | None = None
    ) -> _Result:
        """See psycopg. A server that does not answer in time counts as lost."""
        seconds = self._result_seconds if timeout is None else timeout
        try:
            return super().wait(gen, interval, seconds)
        except errors._WaitTimeout:  # noqa: SLF001  (psycopg asks callers to convert it)
            self.pgconn.finish()  # its state is unknown
            raise psycopg.OperationalError(f"timed out: no answer within {seconds} s") from None

    def commit(self) -> None:
        """See psycopg."""
        with self.result_timeout(COMMIT_SECONDS):
            super().commit()

    def ping(self) -> None:
        """Have the server prove that it is alive.

        Raises:
            psycopg.OperationalError: It is not, or does not answer soon.
        """
        with self.result_timeout(CONNECT_SECONDS):
            self.execute("")
            self.rollback()

    @contextmanager
    def result_timeout(self, seconds: float) -> Iterator[None]:
        """Wait longer or shorter for results inside the block."""
        self._result_seconds, before = seconds, self._result_seconds
        try:
            yield
        finally:
            self._result_seconds = before


class PostgreSQLBackend(Backend):
    """A server that gets rows by COPY in its binary format."""

    file_options = ("sslrootcert", "sslcert", "sslkey")
    unstorable_character = "\0"
    has_transactional_ddl = True

    def open_engine(self, url: sa.URL) -> sa.Engine:
        """See `Backend`."""
        if "sslrootcert" in url.query and "sslmode" not in url.query:
            # libpq's own default would look at the certificate without comparing it.
            url = url.update_query_dict({"sslmode": "verify-full"})
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            isolation_level="REPEATABLE READ",  # readers see one moment
            pool_timeout=POOL_SECONDS,
            use_native_hstore=False,
        )

        @sa.event.listens_for(engine, "do_connect")
        def _connect(_dialect: object, _record: object, _arguments: object, options: Any) -> Any:
            try:
                return PostgreSQLConnection.open(options)
            except psycopg.ProgrammingError as error:
                raise InputError(f"{SETTING} has an option that is not accepted: {error}") from None

        sa.event.listen(engine, "checkout", _require_alive)
        return engine

    def transaction_options(self, *, writing: bool) -> Mapping[str, Any]:
        """See `Backend`."""
        # A writer that has waited for another one continues from what that one has left.
        return {"isolation_level": "READ COMMITTED"} if writing else {}

    def is_transient(self, error: BaseException) -> bool:
        """See `Backend`."""
        return isinstance(error, _TRANSIENT)

    def is_denied(self, error: BaseException) -> bool:
        """See `Backend`."""
        is_refused = isinstance(error, psycopg.OperationalError) and _DENIED.search(str(error))
        return bool(is_refused) or isinstance(error, errors.InsufficientPrivilege)

    def explain(self, error: BaseException, url: sa.URL) -> str:
        """See `Backend`."""
        reason = " ".join(str(error).split()).replace(f'"{url.username}"', "of that address")
        is_about_tls = "SSL" in reason or "certificate" in reason
        return f"{reason}; see sslrootcert in docs/results.md" if is_about_tls else reason

    def key_type(self, length: int, dialect: sa.Dialect) -> TypeEngine[str]:
        """See `Backend`."""
        del dialect
        return postgresql.VARCHAR(length, collation="C")

    def as_bytes(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
        """See `Backend`."""
        return sa.func.convert_to(text, "UTF8", type_=sa.LargeBinary)

    def days_between(
        self, later: sa.ColumnElement[Any], earlier: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[int]:
        """See `Backend`."""
        return sa.type_coerce(later - earlier, sa.Integer)

    def json_rows(self, parameter: str, types: Mapping[str, str]) -> str:
        """See `Backend`."""
        columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
        rows = f"json_to_recordset(CAST(:{parameter} AS json))"
        return f"(SELECT * FROM {rows} AS objects ({columns}))"

    def prepare_lookups(self, connection: sa.Connection) -> None:
        """See `Backend`.

        A table without statistics is assumed to have 200 days, so that reading all of a user's day
        seems as cheap as reading one row. Here each row of an index that is read counts.
        """
        settings = [sa.func.set_config(*setting, True) for setting in _LOOKUP_SETTINGS.items()]
        connection.execute(sa.select(*settings))

    def lookup(self, *, columns: str, keys: str, view: str, condition: str) -> str:
        """See `Backend`. OFFSET keeps the planner from making one join of it all."""
        rows = f"SELECT * FROM {view} AS stored WHERE {condition} OFFSET 0"
        return f"SELECT {columns} FROM {keys} CROSS JOIN LATERAL ({rows}) AS stored"

    def load(self, connection: sa.Connection, part: Part) -> None:
        """See `Backend`.

        The server computes a digest of the rows that it stored, and this side one of those given.
        """
        digest = RowsDigest(part)
        part.require_count(_copy(connection, part, digest))
        count, stored = connection.execute(rows_digest_sql(part)).one()
        part.require_count(count)
        if stored != digest.value:
            raise DeliveryDiffers.in_rows(part.load.as_of)

    def upsert_and_lock(self, table: sa.Table, row: Mapping[str, Any]) -> sa.Insert:
        """See `Backend`: an update that changes nothing locks the row, DO NOTHING would not."""
        key = table.primary_key.columns
        statement = postgresql.insert(table).values(row)
        return statement.on_conflict_do_update(
            index_elements=list(key), set_={key[0].name: statement.excluded[key[0].name]}
        )

    def replace_view(self, connection: sa.Connection, name: str, query: str) -> None:
        """See `Backend`. The new view gets the grants of the old one."""
        grants = connection.execute(_GRANTS_OF_VIEW, {"name": name}).scalars().all()
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")
        for grant in grants:
            connection.exec_driver_sql(grant)

    @contextmanager
    def schema_lock(self, connection: sa.Connection) -> Iterator[bool]:
        """See `Backend`: until the end of the transaction."""
        _set_for_transaction(connection, "lock_timeout", SCHEMA_LOCK_SECONDS)
        try:
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtext("ds_assets schema"))
            connection.execute(sa.select(lock))
        except sa.exc.OperationalError as error:
            if not isinstance(error.orig, errors.LockNotAvailable):
                raise
            yield False
            return
        _set_for_transaction(connection, "statement_timeout", SCHEMA_CHANGE_SECONDS)
        driver: Any = connection.connection.driver_connection
        with driver.result_timeout(SCHEMA_CHANGE_SECONDS + _GRACE_SECONDS):
            yield True


_GRANTS_OF_VIEW = sa.text(
    "SELECT format('GRANT %s ON %I TO %s', privilege_type, table_name,"
    " CASE grantee WHEN 'PUBLIC' THEN grantee ELSE quote_ident(grantee) END)"
    " FROM information_schema.role_table_grants"
    " WHERE table_schema = current_schema() AND table_name = :name AND grantee <> current_user"
)


def _require_alive(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool replace its connections when one that was idle is lost."""
    try:
        connection.ping()
    except psycopg.Error as error:
        raise sa.exc.InvalidatePoolError from error


def _set_for_transaction(connection: sa.Connection, name: str, seconds: int) -> None:
    connection.execute(sa.select(sa.func.set_config(name, f"{seconds}s", True)))


def _copy(connection: sa.Connection, part: Part, digest: RowsDigest) -> int:
    """Send rows. Returns how many the server says that it stored."""
    columns = ", ".join(column.name for column in part.sent_columns)
    statement = f"COPY {part.table.name} (as_of, load_id, {columns}) FROM STDIN (FORMAT binary)"
    with _driver_of(connection) as driver, driver.cursor() as cursor:
        with cursor.copy(statement) as copy, driver.result_timeout(_SEND_SECONDS):
            for block in encode_copy(part, digest):
                copy.write(block)
        return cursor.rowcount


@contextmanager
def _driver_of(connection: sa.Connection) -> Iterator[PostgreSQLConnection]:
    """The driver's connection, for what SQLAlchemy cannot do; errors become SQLAlchemy's."""
    driver: Any = connection.connection.driver_connection
    try:
        yield driver
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance(
            "COPY",
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=driver.closed,
            dialect=connection.dialect,
        ) from error


BACKEND = PostgreSQLBackend()
