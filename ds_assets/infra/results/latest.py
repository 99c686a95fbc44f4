"""The newest row of each of many users, by one query that answers soon.

Rows are stored by day, load and user, so the query looks for a user in one delivered day after the
other, from the newest on, by the whole primary key. Left to themselves, the planners of some
databases read whole days instead, which takes a thousand times as long: the order of joins is
fixed. An index by user would triple the time of a delivery.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from ds_assets.core.user_targets import NAMES, TARGETS
from ds_assets.infra.results.backends import backend_in_use
from ds_assets.infra.results.schema import (
    DELIVERIES,
    PLAYER_PREDICTIONS,
    TARGET_PREDICTION_ROWS,
    DeliveredTable,
    KeyText,
)

LOOK_BACK_DAYS = 60
"""Delivered days in which a user is looked for."""


def latest_rows(
    connection: sa.Connection, user_ids: Sequence[str], targets: Sequence[str]
) -> list[dict[str, Any]]:
    """Fetch the newest row of each user, in no order; users in none of the days have none.

    Args:
        connection: In a transaction that reads.
        user_ids: The users.
        targets: Names of the game's own targets, which one more query adds as `targets`.
    """
    unstorable = backend_in_use(connection).unstorable_character
    storable = [user for user in user_ids if not unstorable or unstorable not in user]
    rows = _newest_rows(connection, PLAYER_PREDICTIONS, storable, ())
    if targets:
        _add_targets(rows, _newest_rows(connection, TARGET_PREDICTION_ROWS, storable, targets))
    return rows


def _newest_rows(
    connection: sa.Connection,
    table: DeliveredTable,
    user_ids: Sequence[str],
    targets: Sequence[str],
) -> list[dict[str, Any]]:
    """Fetch a table's rows of the newest day on which each user has a prediction."""
    columns = [table.history.c[name] for name in table.contract.names]
    query = sa.text(_query(connection, table)).columns(*columns)
    parameters = {"ids": json.dumps(user_ids, ensure_ascii=False)}
    if "target" in table.contract.key:
        parameters["targets"] = json.dumps(targets)
    return [dict(row) for row in connection.execute(query, parameters).mappings()]


def _add_targets(rows: Iterable[dict[str, Any]], target_rows: Iterable[Mapping[str, Any]]) -> None:
    targets = defaultdict(list)
    for row in target_rows:
        targets[row["user_id"]].append({name: row[name] for name in NAMES})
    for row in rows:
        row[TARGETS] = sorted(targets[row["user_id"]], key=itemgetter("target"))


def _query(connection: sa.Connection, table: DeliveredTable) -> str:
    backend = backend_in_use(connection)
    join = backend.ordered_join
    key_type = KeyText().compile(connection.dialect)
    ids = backend.ids_table("ids", key_type)
    join_targets = is_wanted = ""
    if "target" in table.contract.key:  # the whole key, or a planner may read the whole day
        wanted = backend.ids_table("targets", key_type)
        join_targets = f" {join} {wanted} AS wanted ON 1 = 1"
        is_wanted = " AND newest.target = wanted.id"
    history = PLAYER_PREDICTIONS.history.name
    columns = ", ".join(f"newest.{name}" for name in table.contract.names)
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
        f"{join_targets} {join} {table.history.name} AS newest"
        f" ON newest.as_of = delivery.as_of AND newest.user_id = users.id{is_wanted}"
    )
