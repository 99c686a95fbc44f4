"""Makes results databases, each of its own, and rows for them; reads what is stored."""

import datetime as dt
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from ds_assets.core.schema import Table
from ds_assets.core.tables import (
    CLUSTER_PROFILES,
    COHORTS,
    MODEL_METRICS,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
    PROMOTION_RESULTS,
)
from ds_assets.infra.results.backends import backend_of
from ds_assets.infra.results.backends.rows import read_rows
from ds_assets.infra.results.database import ResultsDatabase
from ds_assets.infra.results.schema import PLAYER_PREDICTIONS, REPORTS
from ds_assets_tests.infra.factories import row, row_of, table

SERVERS = [
    pytest.param(kind, marks=pytest.mark.server, id=kind) for kind in ("mysql", "postgresql")
]
KINDS = ["sqlite", *SERVERS]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\\\t\n\r\0'\"%N"))
ALL_REPORTS = (
    *(CLUSTER_PROFILES, COHORTS, MODEL_METRICS, PREDICTION_OUTCOMES),
    PROMOTION_RESULTS,
)


def day(as_of: dt.date, users: int = 3, churn: float = 0.5) -> pa.Table:
    return table(*(row(f"u{n:05}", as_of, churn_probability=churn) for n in range(users)))


def metrics(as_of: dt.date, *measures: str, value: float = 0.5) -> pa.Table:
    """A report of a day, one row per measure."""
    rows = [
        row_of(MODEL_METRICS, as_of=as_of, measure=measure, value=value) for measure in measures
    ]
    return pa.Table.from_pylist(rows, schema=MODEL_METRICS.arrow_schema)


def current_rows(database: ResultsDatabase, user_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of these users on the newest delivered day, in no order; unknown users have none."""
    current = PLAYER_PREDICTIONS.current
    with database._transaction() as connection:
        query = sa.select(*(current.c[name] for name in PREDICTIONS.names))
        query = query.where(current.c.user_id.in_(user_ids))
        return [dict(row) for row in connection.execute(query).mappings()]


def read_report(
    database: ResultsDatabase, contract: Table, as_of: dt.date | None = None
) -> pa.Table:
    """Rows of a report in the order of its key: of one day, or of all."""
    report = REPORTS[contract.name]
    query = sa.select(*(report.c[name] for name in contract.names)).order_by(*report.primary_key)
    if as_of is not None:
        query = query.where(report.c.as_of == as_of)
    with database._transaction() as connection:
        return read_rows(connection.execute(query), contract)


def storable(rows: list[dict[str, Any]], url: str) -> list[dict[str, Any]]:
    """Those rows whose texts the database of a URL can store."""
    character = backend_of(sa.make_url(url)).unstorable_character
    texts = [[value for value in row.values() if isinstance(value, str)] for row in rows]
    return [
        row
        for row, values in zip(rows, texts, strict=True)
        if not character or not any(character in value for value in values)
    ]


def kind_of(url: str) -> str:
    """Name of the database product of a URL."""
    return sa.make_url(url).get_backend_name()


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """URL of a new database on a server; it is dropped afterwards."""
    create, drop = {
        "mysql": ("CREATE DATABASE {} CHARACTER SET utf8mb4", "DROP DATABASE {}"),
        "postgresql": ("CREATE DATABASE {}", "DROP DATABASE {} WITH (FORCE)"),
    }[kind_of(server)]
    name = f"results_{secrets.token_hex(6)}"
    execute(server, create.format(name))
    try:
        url = sa.make_url(server).set(database=name)
        yield url.render_as_string(hide_password=False)
    finally:
        execute(server, drop.format(name))


@contextmanager
def fresh_results(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """URL of a new database of the kind that a fixture's parameter names."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'home' / 'results.sqlite'}"
        return
    with fresh_database(request.getfixturevalue(f"{request.param}_url")) as url:
        yield url


def execute(url: str, *statements: str) -> list[Any]:
    """Run statements as they are. Returns the rows of the last one."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    rows: list[Any] = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
            rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows
