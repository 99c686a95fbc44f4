"""One module for each database product, and the registry that selects it.

Everything that differs between products is behind the `Backend` protocol of `base`. To support
another product, add its module with a `BACKEND`, and its driver here.
"""

from functools import cache
from importlib import import_module

import sqlalchemy as sa

from ds_assets.errors import InputError
from ds_assets.infra.results.backends.base import Backend

SETTING = "DS_ASSETS_RESULTS_URL"
"""The environment variable with the database's URL."""
DRIVERS = {
    "sqlite": "sqlite",
    "mysql+pymysql": "mysql",
    "postgresql+psycopg": "postgresql",
}
"""Accepted drivers as SQLAlchemy names them in URLs, and the module of each in this package."""
EXAMPLES = (
    "sqlite:////folder/results.sqlite",
    "mysql+pymysql://user:password@host/database",
    "postgresql+psycopg://user:password@host/database",
)
"""A URL of each kind."""


def backend_of(url: sa.URL) -> Backend:
    """Select the backend of a URL.

    Raises:
        InputError: No backend accepts it.
    """
    if url.drivername not in DRIVERS:
        raise InputError(
            f"{SETTING} has the scheme {url.drivername}; accepted are {', '.join(EXAMPLES)}"
        )
    return _load(DRIVERS[url.drivername])


def backend_in_use(connection: sa.Connection) -> Backend:
    """Select the backend of an open connection."""
    return backend_of(connection.engine.url)


def backend_of_dialect(dialect: sa.Dialect) -> Backend:
    """Select the backend that SQL of a dialect is meant for.

    Raises:
        KeyError: There is no backend for the dialect.
    """
    return _load({name: name for name in DRIVERS.values()}[dialect.name])


@cache
def _load(name: str) -> Backend:
    # Importing a driver takes a while, and one is enough.
    backend: Backend = import_module(f"{__name__}.{name}").BACKEND
    return backend
