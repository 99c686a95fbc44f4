"""Connections to the results database, and what is said when there is none.

Belongs here: how SQLite and MySQL are opened, and one sentence for each of their errors, without a
credential. Does not belong here: tables, and what is done with them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from tenacity import retry, retry_if_exception, stop_after_delay, wait_random

from ds_assets.errors import InputError, Unavailable

_SETTING = "DS_ASSETS_RESULTS_URL"
_LOCK_SECONDS = 60
_POOL_SECONDS = 10
_FILE_OPTIONS = ("ssl_ca", "ssl_cert", "ssl_key")
_PASSING = frozenset({1040, 1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055})
"""MySQL's codes of connections that were lost or refused, and of locks that others hold."""
_DENIED = frozenset({1044, 1045, 1142, 1143, 1227, 1370})
"""MySQL's codes of what a user may not do."""


class ResultsUnavailable(Unavailable):
    """The results database cannot be reached, or refuses what it is asked."""


class ResultsBusy(ResultsUnavailable):
    """The results database may take the same a moment later."""


def parse_url(url: str) -> sa.URL:
    """The address of a results database.

    Raises:
        InputError: it is not one.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # What it cannot read may hold a password, so it is not shown.
        raise InputError(
            f"{_SETTING} is not a database URL; accepted is for example "
            "sqlite:////folder/results.sqlite or mysql+pymysql://user:password@host/database"
        ) from None
    for option in _FILE_OPTIONS:
        path = parsed.query.get(option)
        if path is not None and not Path(str(path)).is_file():
            raise InputError(f"{_SETTING}: {option} names {path}, and there is no such file")
    return parsed


def describe(url: sa.URL) -> str:
    """The database in words; user, password and options are left behind."""
    where = sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
    return f"the results database at {where} ({_SETTING})"


def open_engine(url: sa.URL) -> sa.Engine:
    """An engine; nothing is connected yet."""
    return (_sqlite_engine if url.get_backend_name() == "sqlite" else _mysql_engine)(url)


@contextmanager
def begin(engine: sa.Engine, *, writing: bool = False) -> Iterator[sa.Connection]:
    """A connection with a transaction, which ends with the block.

    Args:
        engine: From `open_engine`.
        writing: Whether it will write. What only reads sees the database at one moment.

    Raises:
        ResultsUnavailable: the database cannot be used; nothing was written.
    """
    try:
        with engine.connect() as connection:
            _prepare(connection, writing=writing)
            with connection.begin():
                yield connection
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError) as error:
        kind = ResultsBusy if _is_passing(error) else ResultsUnavailable
        raise kind(
            f"{describe(engine.url)} cannot be used: {_reason(error, engine.url)}"
        ) from error


def is_denied(error: sa.exc.DBAPIError) -> bool:
    """Whether the database refused because of who asked."""
    return error_code(error) in _DENIED


def error_code(error: BaseException) -> int | None:
    """MySQL's code of an error; none where it has none."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else None
    code = cause.args[0] if cause is not None and cause.args else None
    return code if isinstance(code, int) else None


def _is_passing(error: Exception) -> bool:
    return isinstance(error, sa.exc.TimeoutError) or error_code(error) in _PASSING


def _reason(error: Exception, url: sa.URL) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig else error
    if isinstance(cause, OSError) or not cause.args:
        return str(cause) or type(cause).__name__
    reason = str(cause.args[-1]).replace(f"'{url.username}'", "of that address")
    is_distrusted = "CERTIFICATE_VERIFY_FAILED" in reason
    return f"{reason}; see ssl_ca in docs/mysql.md" if is_distrusted else reason


def _prepare(connection: sa.Connection, *, writing: bool) -> None:
    connection.execution_options(writing=writing)
    if writing and connection.dialect.name == "mysql":
        # Without locks on the gaps between rows, two days can be delivered at once.
        connection.execution_options(isolation_level="READ COMMITTED")


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"timeout": _LOCK_SECONDS, "isolation_level": None}
    )

    @sa.event.listens_for(engine, "do_connect")
    def _make_folder(*_: object) -> None:
        if url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)

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
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        paramstyle="format",  # by position, for rows as tuples
        isolation_level="REPEATABLE READ",  # once a connection; what reads sees one moment
        pool_pre_ping=True,
        pool_timeout=_POOL_SECONDS,
    )

    @sa.event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, _nothing: object, options: Any) -> Any:
        from ds_assets.infra.results.mysql_connection import MySQLConnection  # noqa: PLC0415  (for MySQL)

        try:
            return MySQLConnection(**options)
        except TypeError as error:  # what PyMySQL says of an option that it does not know
            raise InputError(f"{_SETTING} has an option that is not accepted: {error}") from None

    return engine
