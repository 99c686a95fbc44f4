"""The newest row of each of many users, by one query that answers soon.

Rows are stored by day, load and user, so the query looks for a user in one delivered day after the
other, from the newest on, by the whole primary key. Left to themselves, the planners of some
databases read whole days instead, which takes a thousand times as long: the order of joins is
fixed. An index by user would triple the time of a delivery.
"""

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ds_assets.infra.results.backends import backend_in_use
from ds_assets.infra.results.schema import DELIVERIES, PLAYER_PREDICTIONS, KeyText

LOOK_BACK_DAYS = 60
"""Delivered days in which a user is looked for."""


def latest_rows(connection: sa.Connection, user_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Fetch the newest row of each user, in no order; users in none of the days have none.

    Args:
        connection: In a transaction that reads.
        user_ids: The users.
    """
    unstorable = backend_in_use(connection).unstorable_character
    known = [user for user in user_ids if not unstorable or unstorable not in user]
    columns = [PLAYER_PREDICTIONS.history.c[name] for name in PLAYER_PREDICTIONS.contract.names]
    query = sa.text(_query(connection)).columns(*columns)
    ids = json.dumps(known, ensure_ascii=False)
    return [dict(row) for row in connection.execute(query, {"ids": ids}).mappings()]


def _query(connection: sa.Connection) -> str:
    backend = backend_in_use(connection)
    join = backend.ordered_join
    ids = backend.ids_table("ids", KeyText().compile(connection.dialect))
    history = PLAYER_PREDICTIONS.history.name
    columns = ", ".join(f"newest.{name}" for name in PLAYER_PREDICTIONS.contract.names)
    first_day = (
        f"SELECT min(as_of) FROM (SELECT as_of FROM {DELIVERIES.name}"
        f" ORDER BY as_of DESC LIMIT {LOOK_BACK_DAYS}) AS lately"
    )
    newest_day = (
        f"SELECT d.as_of FROM {DELIVERIES.name} AS d {join} {history} AS p"
        f" ON p.as_of = d.as_of AND p.user_id = asked.id"
        f" WHERE d.as_of >= ({first_day}) ORDER BY d.as_of DESC LIMIT 1"
    )
    return (
        f"SELECT {columns} FROM"
        f" (SELECT asked.id, ({newest_day}) AS as_of FROM {ids} AS asked) AS users"
        f" {join} {DELIVERIES.name} AS delivery ON delivery.as_of = users.as_of"
        f" {join} {history} AS newest"
        f" ON newest.as_of = delivery.as_of AND newest.user_id = users.id"
    )
