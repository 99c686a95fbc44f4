"""MySQL 8 and MariaDB, through PyMySQL.

Scope: connections with a bound for each kind of wait, and the backend. How rows are encoded and
compared is in `mysql_rows`.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from pymysql.connections import Connection, MySQLResult
from pymysql.constants import CR
from pymysql.err import OperationalError
from pymysql.protocol import LoadLocalPacketWrapper
from sqlalchemy.dialects import mysql
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
from ds_assets.infra.results.backends.mysql_rows import RowsDigest, encode_lines, row_digest_sql
from ds_assets.infra.results.backends.rows import insert_rows
from ds_assets.infra.results.errors import DeliveryDiffers

_SEND_SECONDS = 20
"""Longest wait for the server to take a packet of rows."""
_PACKET_BYTES = 1 << 16
_KEEP_ALIVE = {
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 25_000,
}
"""Socket options that detect a lost host within half a minute, however long a result may take."""
_TRANSIENT = frozenset({1040, 1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055})
"""Codes of connections that were lost or refused, and of locks that others hold."""
_DENIED = frozenset({1044, 1045, 1049, 1142, 1143, 1227, 1370, 1698})
"""Codes of an unknown account or database, a wrong password, and what an account may not do."""
_BINARY_LOG_FORMAT = 1665
"""Code of a change that the binary log, with the format STATEMENT, cannot take."""
_LOCAL_FILES_FORBIDDEN = frozenset({1148, 3948, 4166})
"""Codes by which MySQL and MariaDB say that LOAD DATA LOCAL is not allowed."""
_MAX_WARNINGS_SHOWN = 3


class _Result(MySQLResult):  # type: ignore[misc]  # PyMySQL has no types
    """A result. Where it asks for a file, it gets the rows on offer; no file is ever opened."""

    def _read_load_local_packet(self, first_packet: Any) -> None:
        connection = self.connection
        requested = LoadLocalPacketWrapper(first_packet).filename
        try:
            connection.send_offered(requested)
        except BaseException:
            # Without the end of the file, the server keeps nothing of it.
            connection._force_close()  # noqa: SLF001  (there is no other way to close it at once)
            raise
        self._read_ok_packet(connection._read_packet())  # noqa: SLF001


class MySQLConnection(Connection):  # type: ignore[misc]  # PyMySQL has no types
    """A connection of PyMySQL with a timeout for each kind of wait.

    It answers LOAD DATA LOCAL INFILE with rows from memory. A server can ask a client for any file,
    whatever the statement was; this client sends nothing but what is on offer.

    Args:
        options: PyMySQL's.

    Attributes:
        OFFERED: Name of the file in a LOAD DATA statement; no such file exists.

    Raises:
        OperationalError: The server did not accept the connection in time.
    """

    OFFERED = "rows-of-this-delivery"

    def __init__(self, **options: Any) -> None:
        self._offer: Iterable[bytes] | None = None
        super().__init__(
            **options
            | {
                "charset": "utf8mb4",
                "sql_mode": "STRICT_ALL_TABLES",
                "init_command": f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}, "
                f"lock_wait_timeout = {LOCK_SECONDS}",
                "local_infile": True,
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": CONNECT_SECONDS,
                "write_timeout": _SEND_SECONDS,
            }
        )

    def connect(self, sock: Any = None) -> None:
        """See PyMySQL. Results may take longer than the handshake may."""
        self._read_timeout = CONNECT_SECONDS
        super().connect(sock)
        self._read_timeout = STATEMENT_SECONDS
        if self._sock.family != socket.AF_UNIX:
            for name, value in _KEEP_ALIVE.items():
                if hasattr(socket, name):  # not every system has all of them
                    self._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def ping(self, reconnect: bool = False) -> None:
        """See PyMySQL. A server that does not answer soon counts as lost."""
        with self.result_timeout(CONNECT_SECONDS):
            super().ping(reconnect)

    def commit(self) -> None:
        """See PyMySQL."""
        with self.result_timeout(COMMIT_SECONDS):
            super().commit()

    @contextmanager
    def result_timeout(self, seconds: int) -> Iterator[None]:
        """Wait longer or shorter for results inside the block."""
        self._read_timeout, before = seconds, self._read_timeout
        try:
            yield
        finally:
            self._read_timeout = before

    @contextmanager
    def offering(self, rows: Iterable[bytes]) -> Iterator[None]:
        """Offer rows as the file `OFFERED`, to one LOAD DATA statement inside the block."""
        self._offer = rows
        try:
            yield
        finally:
            self._offer = None

    def send_offered(self, requested: bytes) -> None:
        """Send the rows on offer, and the end of the file.

        Raises:
            OperationalError: There are none, or the server asks for another file.
        """
        offer, self._offer = self._offer, None
        if offer is None or requested != self.OFFERED.encode():
            raise OperationalError(
                CR.CR_COMMANDS_OUT_OF_SYNC, "the server asked for a file that is not on offer"
            )
        for rows in offer:
            content = memoryview(rows)
            for start in range(0, len(content), _PACKET_BYTES):
                self.write_packet(content[start : start + _PACKET_BYTES])
        self.write_packet(b"")

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        # As PyMySQL's own, but for the class of the result.
        self._result = None
        result = _Result(self)
        if unbuffered:
            result.init_unbuffered_query()
        else:
            result.read()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return result.affected_rows


class MySQLBackend(Backend):
    """A server that gets rows by LOAD DATA LOCAL INFILE, or by INSERTs where it forbids that."""

    file_options = ("ssl_ca", "ssl_cert", "ssl_key")
    unstorable_character = ""
    has_transactional_ddl = False

    def open_engine(self, url: sa.URL) -> sa.Engine:
        """See `Backend`."""
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            paramstyle="format",  # by position, for rows as tuples
            isolation_level="REPEATABLE READ",  # once a connection; readers see one moment
            pool_pre_ping=True,
            pool_timeout=POOL_SECONDS,
        )

        @sa.event.listens_for(engine, "do_connect")
        def _connect(_dialect: object, _record: object, _arguments: object, options: Any) -> Any:
            try:
                return MySQLConnection(**options)
            except TypeError as error:  # PyMySQL's error for an option that it does not know
                raise InputError(f"{SETTING} has an option that is not accepted: {error}") from None

        return engine

    def transaction_options(self, *, writing: bool) -> Mapping[str, Any]:
        """See `Backend`."""
        # Without locks on the gaps between rows, two days can be delivered at the same time.
        return {"isolation_level": "READ COMMITTED"} if writing else {}

    def is_transient(self, error: BaseException) -> bool:
        """See `Backend`."""
        return _code(error) in _TRANSIENT

    def is_denied(self, error: BaseException) -> bool:
        """See `Backend`."""
        return _code(error) in _DENIED

    def explain(self, error: BaseException, url: sa.URL) -> str:
        """See `Backend`."""
        if _code(error) == _BINARY_LOG_FORMAT:
            return (
                "its binary log has the format STATEMENT, which cannot take a delivery: set "
                "binlog_format to MIXED or ROW (see docs/results.md)"
            )
        reason = str(error.args[-1]).replace(f"'{url.username}'", "of that address")
        is_untrusted = "CERTIFICATE_VERIFY_FAILED" in reason
        return f"{reason}; see ssl_ca in docs/results.md" if is_untrusted else reason

    def key_type(self, length: int, dialect: sa.Dialect) -> TypeEngine[str]:
        """See `Backend`. MySQL and MariaDB have different names for the same collation."""
        collation = "utf8mb4_0900_bin"
        if isinstance(dialect, mysql.dialect) and dialect.is_mariadb:
            collation = "utf8mb4_nopad_bin"
        return mysql.VARCHAR(length, charset="utf8mb4", collation=collation)

    def as_bytes(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
        """See `Backend`."""
        return sa.cast(text, sa.LargeBinary)

    def days_between(
        self, later: sa.ColumnElement[Any], earlier: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[int]:
        """See `Backend`."""
        return sa.func.datediff(later, earlier, type_=sa.Integer)

    def json_rows(self, parameter: str, types: Mapping[str, str]) -> str:
        """See `Backend`."""
        columns = ", ".join(f"{name} {kind} PATH '$.{name}'" for name, kind in types.items())
        return f"JSON_TABLE(:{parameter}, '$[*]' COLUMNS ({columns}))"

    def prepare_lookups(self, connection: sa.Connection) -> None:
        """See `Backend`: nothing to prepare."""
        del connection

    def lookup(self, *, columns: str, keys: str, view: str, condition: str) -> str:
        """See `Backend`. Straight joins after FROM would leave those inside the view free."""
        return f"SELECT STRAIGHT_JOIN {columns} FROM {keys} JOIN {view} AS stored ON {condition}"

    def load(self, connection: sa.Connection, part: Part) -> None:
        """See `Backend`.

        The server computes a digest of the rows that it stored, and this side one of those given.
        """
        digest = _store(connection, part)
        query = sa.select(sa.func.count(), sa.func.bit_xor(row_digest_sql(part)))
        rows, stored = connection.execute(query.where(part.is_stored)).one()
        part.require_count(rows)
        if stored != digest.value:
            raise DeliveryDiffers.in_rows(part.load.as_of)

    def upsert_and_lock(self, table: sa.Table, row: Mapping[str, Any]) -> sa.Insert:
        """See `Backend`."""
        key = table.primary_key.columns[0]
        return mysql.insert(table).values(row).on_duplicate_key_update({key.name: key})

    def replace_view(self, connection: sa.Connection, name: str, query: str) -> None:
        """See `Backend`: one statement, because the server commits each."""
        connection.exec_driver_sql(f"CREATE OR REPLACE VIEW {name} AS {query}")

    @contextmanager
    def schema_lock(self, connection: sa.Connection) -> Iterator[bool]:
        """See `Backend`."""
        name = sa.func.left(sa.func.concat("ds_assets schema of ", sa.func.database()), 64)
        if connection.scalar(sa.select(sa.func.get_lock(name, SCHEMA_LOCK_SECONDS))) != 1:
            yield False
            return
        driver: Any = connection.connection.driver_connection
        try:
            with driver.result_timeout(SCHEMA_CHANGE_SECONDS):
                yield True
            # Else the newest version's number would be written after others have read it.
            connection.connection.commit()
        finally:
            if not connection.invalidated:
                connection.execute(sa.select(sa.func.release_lock(name)))


def _store(connection: sa.Connection, part: Part) -> RowsDigest:
    digest = RowsDigest(part)
    try:
        _load_data(connection, part, digest)
    except sa.exc.DBAPIError as error:
        if _code(error.orig) not in _LOCAL_FILES_FORBIDDEN:
            raise
        insert_rows(connection, part)  # the server has not read any row so far
        for batch in part.batches():
            digest.add(batch)
    return digest


def _load_data(connection: sa.Connection, part: Part, digest: RowsDigest) -> None:
    driver: Any = connection.connection.driver_connection
    columns = ", ".join(column.name for column in part.sent_columns)
    statement = (
        f"LOAD DATA LOCAL INFILE '{driver.OFFERED}' INTO TABLE {part.table.name}"
        r" CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ESCAPED BY '\\'"
        rf" LINES TERMINATED BY '\n' ({columns}) SET as_of = %s, load_id = %s"
    )
    with driver.offering(encode_lines(part, digest)):
        result = connection.exec_driver_sql(statement, (part.load.as_of, part.load.load_id))
    warnings = connection.exec_driver_sql(f"SHOW WARNINGS LIMIT {_MAX_WARNINGS_SHOWN}").all()
    part.require_count(result.rowcount)
    if warnings:
        texts = "; ".join(str(warning[-1]) for warning in warnings)
        raise DeliveryDiffers(
            f"{part.load.as_of}: the database warns, the day was rolled back: {texts}"
        )


def _code(error: BaseException | None) -> int | None:
    code = error.args[0] if error is not None and error.args else None
    return code if isinstance(code, int) else None


BACKEND = MySQLBackend()
