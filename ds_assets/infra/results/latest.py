"""The newest row of each of many users, in one query that answers soon.

Belongs here: that query. Does not belong here: connections, and what the rows are for.

Rows lie by day, load and user, so a user is looked for in one delivered day after the other, from
the newest on, by the whole key. Left to themselves, planners read days as a whole instead, which
takes a thousand times as long: the order of joins is said. An index by user would make a delivery
take three times as long.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ds_assets.core.tables import PREDICTIONS
from ds_assets.infra.results.schema import DELIVERED, DELIVERIES, KeyText

LOOK_BACK = 60
"""Delivered days in which a user is looked for."""


def latest_rows(connection: sa.Connection, user_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The newest row of each user, in no order; those who are in none of the days have none.

    Args:
        connection: One that reads.
        user_ids: The users.
    """
    query = sa.text(_query(connection.dialect)).columns(*_columns())
    ids = json.dumps(list(user_ids), ensure_ascii=False)
    return [dict(row) for row in connection.execute(query, {"ids": ids}).mappings()]


def _columns() -> list[sa.ColumnElement[Any]]:
    return [DELIVERED.c[name] for name in PREDICTIONS.names]


def _query(dialect: sa.Dialect) -> str:
    asked, then = _in_sqlite() if dialect.name == "sqlite" else _in_mysql(dialect)
    first_day = (
        f"SELECT min(as_of) FROM (SELECT as_of FROM {DELIVERIES.name}"
        f" ORDER BY as_of DESC LIMIT {LOOK_BACK}) AS lately"
    )
    newest = (
        f"SELECT d.as_of FROM {DELIVERIES.name} AS d {then} {DELIVERED.name} AS p"
        f" ON p.as_of = d.as_of AND p.user_id = asked.id"
        f" WHERE d.as_of >= ({first_day}) ORDER BY d.as_of DESC LIMIT 1"
    )
    return (
        f"SELECT {', '.join(f'found.{name}' for name in PREDICTIONS.names)}"
        f" FROM (SELECT asked.id, ({newest}) AS as_of FROM {asked} AS asked) AS users"
        f" {then} {DELIVERIES.name} AS of_user ON of_user.as_of = users.as_of"
        f" {then} {DELIVERED.name} AS found"
        f" ON found.as_of = of_user.as_of AND found.user_id = users.id"
    )


def _in_sqlite() -> tuple[str, str]:
    """The ids as a table, and the join that keeps the order in which it is written."""
    return "(SELECT value AS id FROM json_each(:ids))", "CROSS JOIN"


def _in_mysql(dialect: sa.Dialect) -> tuple[str, str]:
    kind = KeyText().compile(dialect)
    return f"JSON_TABLE(:ids, '$[*]' COLUMNS (id {kind} PATH '$'))", "STRAIGHT_JOIN"
