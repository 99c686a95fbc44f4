"""Connections to the results database, and error messages without credentials.

Scope: URLs, engines and transactions of every backend. What a transaction does is not here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from ds_assets.errors import InputError
from ds_assets.infra.results.backends import (
    EXAMPLES,
    SETTING,
    backend_in_use,
    backend_of,
)
from ds_assets.infra.results.errors import ResultsBusy, ResultsRefused, ResultsUnavailable
from ds_assets.infra.usable_files import refuse_no_pem

_ADVICE = "correct the URL, or what the server grants (docs/results.md)"


def parse_url(url: str) -> sa.URL:
    """Parse the URL of a results database.

    Raises:
        InputError: It is not a URL, or no backend accepts it.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # What cannot be parsed may hold a password, so it is not shown.
        raise InputError(
            f"{SETTING} is not a database URL; accepted are for example {', '.join(EXAMPLES)}"
        ) from None
    for option in backend_of(parsed).file_options:
        if path := parsed.query.get(option):
            refuse_no_pem(Path(str(path)), SETTING, option)
    _refuse_unclear(parsed)
    return parsed


def _refuse_unclear(url: sa.URL) -> None:
    """Refuse a URL without a database, or in which a password was taken for the host."""
    if url.host and "@" in (url.database or ""):
        raise InputError(
            f"{SETTING} has an '@', '/' or ':' in its user or password; write %40, %2F or %3A"
        )
    if url.database in {None, ""}:
        raise InputError(
            f"{SETTING} names no database; accepted are for example {', '.join(EXAMPLES)}"
        )


def describe(url: sa.URL) -> str:
    """Name a database for people, without user, password and options."""
    place = sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database)
    return f"the results database at {place} ({SETTING})"


def open_engine(url: sa.URL) -> sa.Engine:
    """Make an engine; nothing is connected yet."""
    return backend_of(url).open_engine(url)


@contextmanager
def begin(engine: sa.Engine, *, writing: bool = False) -> Iterator[sa.Connection]:
    """Open a connection with a transaction, which ends with the block.

    Args:
        engine: From `open_engine`.
        writing: Whether it will write. One that only reads sees the database at one moment.

    Raises:
        ResultsRefused: It refuses the account; nothing was written.
        ResultsUnavailable: The database cannot be used; nothing was written.
    """
    backend = backend_of(engine.url)
    try:
        with engine.connect() as connection:
            connection.execution_options(**backend.transaction_options(writing=writing))
            with connection.begin():
                yield connection
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError) as error:
        kind = _kind_of(error, engine.url)
        advice = f"; {_ADVICE}" if kind is ResultsRefused else ""
        raise kind(
            f"{describe(engine.url)} cannot be used: {_reason(error, engine.url)}{advice}"
        ) from error


def is_denied(error: sa.exc.DBAPIError, connection: sa.Connection) -> bool:
    """Whether the database refused the account, or a statement because of its rights."""
    return backend_in_use(connection).is_denied(_cause(error))


def _kind_of(error: Exception, url: sa.URL) -> type[ResultsUnavailable]:
    backend, cause = backend_of(url), _cause(error)
    if backend.is_denied(cause):  # first: PostgreSQL's driver has the same class for lost servers
        return ResultsRefused
    is_pool_exhausted = isinstance(error, sa.exc.TimeoutError)
    return ResultsBusy if is_pool_exhausted or backend.is_transient(cause) else ResultsUnavailable


def _reason(error: Exception, url: sa.URL) -> str:
    cause = _cause(error)
    if isinstance(cause, OSError) or not cause.args:
        return str(cause) or type(cause).__name__
    return backend_of(url).explain(cause, url)


def _cause(error: Exception) -> BaseException:
    """The driver's own error, or the error itself."""
    return error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig else error
