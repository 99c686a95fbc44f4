"""Makes results databases, each of its own, and rows for them."""

import datetime as dt
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from ds_assets.core.tables import CLUSTER_PROFILES, MODEL_METRICS, PREDICTION_OUTCOMES
from ds_assets_tests.infra.factories import row, row_of, table

KINDS = ["sqlite", pytest.param("mysql", marks=pytest.mark.server)]
ALL_REPORTS = (CLUSTER_PROFILES, MODEL_METRICS, PREDICTION_OUTCOMES)


def day(as_of: dt.date, users: int = 3, churn: float = 0.5) -> pa.Table:
    return table(*(row(f"u{n:05}", as_of, churn_probability=churn) for n in range(users)))


def metrics(as_of: dt.date, *measures: str, value: float = 0.5) -> pa.Table:
    """A report of a day, a row a measure."""
    rows = [row_of(MODEL_METRICS, as_of=as_of, measure=one, value=value) for one in measures]
    return pa.Table.from_pylist(rows, schema=MODEL_METRICS.arrow_schema)


@contextmanager
def fresh_mysql(server: str) -> Iterator[str]:
    """URL of a new database on a server; it is gone afterwards."""
    name = f"results_{secrets.token_hex(6)}"
    url = sa.make_url(server)
    execute(server, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        execute(server, f"DROP DATABASE {name}")


@contextmanager
def fresh_results(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """URL of a new database of the kind that a fixture's parameter names."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'home' / 'results.sqlite'}"
        return
    with fresh_mysql(request.getfixturevalue("mysql_url")) as url:
        yield url


def execute(url: str, *statements: str) -> list[Any]:
    """Run statements as they are. Returns the rows of the last one."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    rows: list[Any] = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
            rows = [tuple(found) for found in result] if result.returns_rows else []
    engine.dispose()
    return rows
