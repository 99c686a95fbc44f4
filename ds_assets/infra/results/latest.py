"""The newest row of each of many users, by one query; their targets and promotions by two more.

Rows are stored by day, load and user. The first query looks for each user in one delivered day
after the other, from the newest on; the others read the rows of the game's own targets, and of its
promotions, by their keys. All look up rows by the whole primary key, see `Backend.lookup`: left to
themselves, some planners read whole days instead, which takes a thousand times as long. An index by
user would triple the time of a delivery.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from ds_assets.core import user_offers
from ds_assets.core.user_targets import NAMES, TARGETS
from ds_assets.infra.results.backends import backend_in_use
from ds_assets.infra.results.schema import (
    DELIVERIES,
    KEY_LENGTH,
    PLAYER_PREDICTIONS,
    PLAYER_PROMOTION_ROWS,
    TARGET_PREDICTION_ROWS,
    DeliveredTable,
)

LOOK_BACK_DAYS = 60
"""Delivered days in which a user is looked for."""


def latest_rows(
    connection: sa.Connection,
    installation_id: int,
    user_ids: Sequence[str],
    targets: Sequence[str],
    promotions: Sequence[str],
) -> list[dict[str, Any]]:
    """Fetch the newest row of each user, in no order; users in none of the days have none.

    Args:
        connection: In a transaction that reads.
        installation_id: The installation whose rows are looked up.
        user_ids: The users.
        targets: Names of the game's own targets, which one more query adds as `targets`.
        promotions: Names of its promotions in the order of priority, likewise; the offers among
            them that are in effect are added as `promotions`.
    """
    backend_in_use(connection).prepare_lookups(connection)
    users = [{"user_id": user} for user in user_ids if _is_storable(connection, user)]
    keys_sql = _newest_keys_sql(connection)
    rows = _look_up(connection, installation_id, PLAYER_PREDICTIONS, keys_sql, users)
    if targets:
        table = TARGET_PREDICTION_ROWS
        _add_targets(rows, _look_up_named(connection, installation_id, table, rows, targets))
    if promotions:
        table = PLAYER_PROMOTION_ROWS
        in_effect = _look_up_named(connection, installation_id, table, rows, promotions)
        _add_offers(rows, in_effect, promotions)
    return rows


def _look_up_named(
    connection: sa.Connection,
    installation_id: int,
    table: DeliveredTable,
    rows: Iterable[Mapping[str, Any]],
    names: Sequence[str],
) -> list[dict[str, Any]]:
    """Fetch the rows of a table that have the day and the user of a row and one of the names."""
    name_column = table.contract.key[-1]
    keys = [
        {"as_of": str(row["as_of"]), "user_id": row["user_id"], name_column: name}
        for row in rows
        for name in names
    ]
    keys_sql = _json_rows_sql(connection, table, table.contract.key)
    return _look_up(connection, installation_id, table, keys_sql, keys)


def _is_storable(connection: sa.Connection, user_id: str) -> bool:
    unstorable = backend_in_use(connection).unstorable_character
    return len(user_id) <= KEY_LENGTH and not (unstorable and unstorable in user_id)


def _look_up(
    connection: sa.Connection,
    installation_id: int,
    table: DeliveredTable,
    keys_sql: str,
    json_rows: list[dict[str, str]],
) -> list[dict[str, Any]]:
    """Fetch the rows of a table that have the keys of a query of the JSON rows."""
    columns = [table.history.c[name] for name in table.contract.names]
    query = backend_in_use(connection).lookup(
        columns=", ".join(f"stored.{column.name}" for column in columns),
        keys=f"{keys_sql} AS wanted",
        view=table.history.name,
        condition=" AND ".join(
            ["stored.installation_id = :installation_id"]
            + [f"stored.{name} = wanted.{name}" for name in table.contract.key]
        ),
    )
    parameters = {
        "rows": json.dumps(json_rows, ensure_ascii=False),
        "installation_id": installation_id,
    }
    result = connection.execute(sa.text(query).columns(*columns), parameters)
    return [dict(row) for row in result.mappings()]


def _newest_keys_sql(connection: sa.Connection) -> str:
    """SQL of the newest day on which each user of the JSON rows has a prediction."""
    first_day = (
        f"SELECT min(as_of) FROM (SELECT as_of FROM {DELIVERIES.name}"
        " WHERE installation_id = :installation_id"
        f" ORDER BY as_of DESC LIMIT {LOOK_BACK_DAYS}) AS lately"
    )
    days = backend_in_use(connection).lookup(
        columns="delivery.as_of",
        keys=f"{DELIVERIES.name} AS delivery",
        view=PLAYER_PREDICTIONS.history.name,
        condition="stored.installation_id = :installation_id"
        " AND stored.as_of = delivery.as_of AND stored.user_id = users.user_id",
    )
    newest_day = (
        f"{days} WHERE delivery.installation_id = :installation_id"
        f" AND delivery.as_of >= ({first_day}) ORDER BY delivery.as_of DESC LIMIT 1"
    )
    users = f"{_json_rows_sql(connection, PLAYER_PREDICTIONS, ['user_id'])} AS users"
    # Without DISTINCT, MySQL would look for the day of a user again for each delivery.
    return f"(SELECT DISTINCT users.user_id, ({newest_day}) AS as_of FROM {users})"


def _json_rows_sql(connection: sa.Connection, table: DeliveredTable, names: Sequence[str]) -> str:
    columns = table.history.c
    types = {name: columns[name].type.compile(connection.dialect) for name in names}
    return backend_in_use(connection).json_rows("rows", types)


def _add_targets(rows: Iterable[dict[str, Any]], target_rows: Iterable[Mapping[str, Any]]) -> None:
    targets = defaultdict(list)
    for row in target_rows:
        targets[row["user_id"]].append({name: row[name] for name in NAMES})
    for row in rows:
        row[TARGETS] = sorted(targets[row["user_id"]], key=itemgetter("target"))


def _add_offers(
    rows: Iterable[dict[str, Any]],
    in_effect: Iterable[Mapping[str, Any]],
    promotions: Sequence[str],
) -> None:
    ranks = {promotion: rank for rank, promotion in enumerate(promotions)}
    offers = defaultdict(list)
    for assignment in sorted(in_effect, key=lambda it: ranks[it["promotion"]]):
        if assignment["offer"] is not None:
            shown = {name: assignment[name] for name in user_offers.NAMES}
            offers[assignment["user_id"]].append(shown)
    for row in rows:
        row[user_offers.PROMOTIONS] = offers[row["user_id"]]
